import { startOfEpochMs } from "../wire/epoch.ts";

/** Most publisher lives that are remembered at a time; the one that was silent for longest is forgotten first. */
const MAX_EPOCHS = 64;

/** What a message says of its place among those of its publisher; see `TickMessage`. */
export interface NumberedMessage {
  readonly epoch: number;
  readonly seq: number;
  readonly sentMs: number;
  readonly ticks: { readonly length: number };
  readonly ticksBefore?: number | undefined;
}

/** What was lost before a message. */
export interface Loss {
  /** Messages. */
  readonly missed: number;
  /** Ticks that were in them; undefined if the publisher does not say. */
  readonly missedTicks: number | undefined;
}

/** What the number of a message says about those before it. */
export type SequenceNews =
  /** It follows the one before. */
  | { readonly kind: "next" }
  /** It was seen before. */
  | { readonly kind: "duplicate" }
  /** Messages before it are lost. */
  | ({ readonly kind: "gap" } & Loss)
  /** It is the first one seen of a publisher's life; some that went before it may be missing that should have been seen. */
  | ({ readonly kind: "epoch" } & Loss);

/** How far a reader has come in a publisher's life. */
export interface Position {
  /** Of the last message. */
  readonly seq: number;
  /** Ticks that the publisher had numbered up to its end; undefined if it does not say. */
  readonly ticks: number | undefined;
}

/** How far a reader has come, by epoch. */
export type Positions = ReadonlyMap<number, Position>;

/** A publisher's life in ticks, as a reader knows it: what it had numbered up to `to` is before `from`, taken or lost. */
export interface ReadLife {
  readonly epoch: number;
  /** Ticks that were numbered before this reader began. */
  readonly from: number;
  readonly taken: number;
  readonly lost: number;
  readonly to: number;
}

interface Life {
  seq: number;
  ticks: number | undefined;
  from: number | undefined;
  taken: number;
  lost: number;
}

const NEXT: SequenceNews = { kind: "next" };
const DUPLICATE: SequenceNews = { kind: "duplicate" };
const NOTHING: Position = { seq: 0, ticks: 0 };

/**
 * Counts lost messages, and the ticks in them, by the publisher's own numbering, (epoch, seq). The stream's numbering
 * cannot prove that nothing was lost: what never reached the stream has no number there.
 */
export class SequenceLedger {
  /** By epoch; the one that was heard last is last. */
  readonly #lives = new Map<number, Life>();
  #sinceMs = Number.NaN;
  #reached: Positions = new Map();

  /** How far it has come in each publisher's life that is remembered. */
  get positions(): Positions {
    return this.#lives;
  }

  /** The lives of which every message said what it held. */
  *lives(): Iterable<ReadLife> {
    for (const [epoch, { from, taken, lost, ticks: to }] of this.#lives) {
      if (from !== undefined && to !== undefined) yield { epoch, from, taken, lost, to };
    }
  }

  /**
   * Has it count what publishers sent from a time on, ms by their clocks, and of some lives what comes after positions
   * that a reader before it had reached; nothing was observed before.
   */
  beginAt(sinceMs: number, reached: Positions = new Map()): void {
    this.#sinceMs = sinceMs;
    this.#reached = reached;
  }

  /** Takes note of a message. */
  observe(message: NumberedMessage): SequenceNews {
    const { epoch, seq, sentMs, ticks, ticksBefore } = message;
    if (Number.isNaN(this.#sinceMs)) this.#sinceMs = sentMs;
    const life = this.#lives.get(epoch);
    if (life === undefined) return this.#begin(message);
    this.#lives.delete(epoch);
    this.#lives.set(epoch, life);
    if (seq <= life.seq) return DUPLICATE;
    const missed = seq - life.seq - 1;
    const missedTicks = missed === 0 ? 0 : ticksBetween(life.ticks, ticksBefore);
    life.seq = seq;
    life.taken += ticks.length;
    life.lost += missedTicks ?? 0;
    if (missedTicks === undefined || ticksBefore === undefined) life.from = undefined;
    life.ticks = ticksBefore === undefined ? undefined : ticksBefore + ticks.length;
    return missed === 0 ? NEXT : { kind: "gap", missed, missedTicks };
  }

  #begin({ epoch, seq, ticks, ticksBefore }: NumberedMessage): SequenceNews {
    // The stream may hold only the end of the lives that were running when this reader began.
    const isOlder = startOfEpochMs(epoch) < this.#sinceMs;
    const reached = this.#reached.get(epoch) ?? (isOlder ? undefined : NOTHING);
    const missed = reached === undefined ? 0 : Math.max(0, seq - 1 - reached.seq);
    const missedTicks = missed === 0 ? 0 : ticksBetween(reached?.ticks, ticksBefore);
    if (this.#lives.size >= MAX_EPOCHS) this.#lives.delete(this.#lives.keys().next().value!);
    this.#lives.set(epoch, {
      seq,
      ticks: ticksBefore === undefined ? undefined : ticksBefore + ticks.length,
      from: ticksBefore === undefined || missedTicks === undefined ? undefined : ticksBefore - missedTicks,
      taken: ticks.length,
      lost: missedTicks ?? 0,
    });
    return { kind: "epoch", missed, missedTicks };
  }
}

/** Ticks from one position to another; none if the publisher's numbers make no sense. */
function ticksBetween(from: number | undefined, to: number | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : Math.max(0, to - from);
}
