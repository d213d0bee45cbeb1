import { startOfEpochMs } from "../wire/epoch.ts";

/** Most publisher lives that are remembered at a time; the one that was silent for longest is forgotten first. */
const MAX_EPOCHS = 64;

/** What the number of a message says about those before it. */
export type SequenceNews =
  /** It follows the one before. */
  | { readonly kind: "next" }
  /** It was seen before. */
  | { readonly kind: "duplicate" }
  /** Messages before it are lost; how many. */
  | { readonly kind: "gap"; readonly missed: number }
  /** It is the first one seen of a publisher's life; `missed` went before it that should have been seen. */
  | { readonly kind: "epoch"; readonly missed: number };

/** How far a reader has come: the last number seen, by epoch. */
export type Positions = ReadonlyMap<number, number>;

const NEXT: SequenceNews = { kind: "next" };
const DUPLICATE: SequenceNews = { kind: "duplicate" };

/**
 * Counts lost messages by the publisher's own numbering, (epoch, seq). The stream's numbering cannot prove that
 * nothing was lost: what never reached the stream has no number there.
 */
export class SequenceLedger {
  /** By epoch; the one that was heard last is last. */
  readonly #lastSeq = new Map<number, number>();
  #sinceMs = Number.NaN;

  /** The last number of each publisher's life that is remembered. */
  get positions(): Positions {
    return this.#lastSeq;
  }

  /** Has it count what publishers sent from a time on, ms by their clocks; nothing was observed before. */
  beginAt(sinceMs: number): void {
    this.#sinceMs = sinceMs;
  }

  /** Takes note of a message that its publisher sent at `sentMs`. */
  observe(epoch: number, seq: number, sentMs: number): SequenceNews {
    if (Number.isNaN(this.#sinceMs)) this.#sinceMs = sentMs;
    const last = this.#lastSeq.get(epoch);
    if (last === undefined) {
      // The stream may hold only the end of the lives that were running when this reader began.
      const missed = startOfEpochMs(epoch) < this.#sinceMs ? 0 : seq - 1;
      if (this.#lastSeq.size >= MAX_EPOCHS) this.#lastSeq.delete(this.#lastSeq.keys().next().value!);
      this.#lastSeq.set(epoch, seq);
      return { kind: "epoch", missed };
    }
    this.#lastSeq.delete(epoch);
    if (seq <= last) {
      this.#lastSeq.set(epoch, last);
      return DUPLICATE;
    }
    this.#lastSeq.set(epoch, seq);
    return seq === last + 1 ? NEXT : { kind: "gap", missed: seq - last - 1 };
  }
}
