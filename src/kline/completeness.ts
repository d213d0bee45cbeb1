import type { Candle } from "../market/candle.ts";
import { RENUMBERED_MS } from "../market/renumbering.ts";
import type { CandleState } from "./candle_state.ts";
import type { SavedMarket } from "./saved_state.ts";
import { type Hole, TradeSpans } from "./trade_spans.ts";

/** What is known about the trades that a candle lacks. */
export interface Verdict {
  /** Trades that are missing and can only belong to this candle. */
  missing: number;
  /** Whether no trade can be missing. */
  complete: boolean;
}

/** What a new trade showed: which closed candles may have got another verdict. */
export interface Reveal {
  readonly fromMs: number;
  readonly toMs: number;
  /** Candles without trades got another verdict too if they end by this instant. */
  readonly flatsToMs: number;
}

const NOTHING = Number.NEGATIVE_INFINITY;

/**
 * Whether candles of one market are complete. Missing trades show as holes in the venue's numbering. Doubt is the
 * time after a feed, a batch or a publisher was lost, until the next trade's number tells whether trades were.
 */
export class Completeness {
  readonly #spans = new TradeSpans();
  #doubtFromMs = Number.POSITIVE_INFINITY;

  get newestMs(): number {
    return this.#spans.newestMs;
  }

  /** Time of the trade with the lowest id known, ms: what was before is not known. NaN before the first trade. */
  get startMs(): number {
    return this.#spans.startMs;
  }

  save(): Pick<SavedMarket, "spans" | "doubtFromMs"> {
    return { spans: this.#spans.save(), doubtFromMs: this.#doubtFromMs };
  }

  /** Goes on from what {@link save} gave; nothing was noted before. */
  load({ spans, doubtFromMs }: Pick<SavedMarket, "spans" | "doubtFromMs">): void {
    this.#spans.load(spans);
    this.doubt(doubtFromMs);
  }

  /**
   * Goes on after the last candle with trades that another life closed; nothing was noted before. Of its trades none is
   * known, but the number from which all that comes later goes on: after a complete candle, or somewhere in another one.
   */
  goOnAfter({ openMs, endMs, lastId, complete }: Candle): void {
    this.#spans.beginAfter(Number(lastId), { startMs: endMs - 1, reachedMs: complete ? endMs : openMs });
  }

  /**
   * Nothing is certain from this venue time on, until a trade says more. Up to the newest trade all is certain already:
   * what follows it in the numbering lies after it, as trades in a hole lie between its neighbours.
   */
  doubt(fromMs: number): void {
    const { newestMs } = this.#spans;
    const beginMs = Number.isNaN(newestMs) ? fromMs : Math.max(fromMs, newestMs);
    if (beginMs < this.#doubtFromMs) this.#doubtFromMs = beginMs;
  }

  /** Whether a trade came before. */
  knows(id: number): boolean {
    return this.#spans.place(id).known && !this.#spans.wasLost(id);
  }

  /** Whether a trade that is not known is one of those since the first that is: what was before was never looked for. */
  isMissing(id: number, timeMs: number): boolean {
    return this.#spans.place(id).below !== undefined && timeMs >= this.#spans.startMs;
  }

  /** Whether a trade shows that the venue has begun to number anew. */
  isRenumbered(id: number, timeMs: number): boolean {
    return id <= this.#spans.newestId && timeMs > this.#spans.newestMs + RENUMBERED_MS;
  }

  /**
   * Forgets the numbering of the past: it proves nothing any more, so nothing before the next trade is complete.
   *
   * @returns the holes, which no trade will fill, but for one that the number of that trade lies in: it is none
   */
  renumber(id: number): Hole[] {
    const spans = this.#spans;
    const { known, above } = spans.place(id);
    const holes = Array.from({ length: spans.holes }, (_, index) => spans.hole(index));
    spans.clear();
    this.#doubtFromMs = Number.POSITIVE_INFINITY;
    const isFalse = (hole: Hole) => !known && above !== undefined && hole === holes.at(-1);
    return holes.map((hole) => (isFalse(hole) ? { ...hole, trades: 0 } : hole));
  }

  /** Notes a trade in the ordinary case: the first one, or the next after the newest when nothing is in doubt. */
  extend(id: number, timeMs: number): boolean {
    return this.#doubtFromMs === Number.POSITIVE_INFINITY && this.#spans.extend(id, timeMs);
  }

  /** Notes a trade in all other cases; undefined if it is a duplicate, else what it revealed, oldest first. */
  note(id: number, timeMs: number): readonly Reveal[] | undefined {
    const doubtFromMs = this.#doubtFromMs;
    if (this.#spans.extend(id, timeMs)) {
      this.#doubtFromMs = Number.POSITIVE_INFINITY;
      return [{ fromMs: doubtFromMs, toMs: timeMs, flatsToMs: timeMs }];
    }
    const { known, below, above } = this.#spans.place(id);
    if (known) return undefined;
    this.#spans.insert(id, timeMs);
    const reveals: Reveal[] = [];
    if (below !== undefined) {
      const span = { fromMs: Math.min(below.timeMs, timeMs), toMs: Math.max(below.timeMs, timeMs) };
      const filled = id === below.id + 1;
      if (above === undefined) {
        // The hole replaces the doubt.
        reveals.push({ ...span, flatsToMs: Math.min(span.toMs, doubtFromMs) });
        this.#doubtFromMs = Number.POSITIVE_INFINITY;
      } else {
        reveals.push({ ...span, flatsToMs: filled ? span.toMs : NOTHING });
      }
    }
    if (above !== undefined) {
      const span = { fromMs: Math.min(above.timeMs, timeMs), toMs: Math.max(above.timeMs, timeMs) };
      const filled = below !== undefined && id === above.id - 1;
      reveals.push({ ...span, flatsToMs: filled ? span.toMs : NOTHING });
    }
    return reveals;
  }

  /** Judges the candle from `openMs` to `endMs`; `state` is what is kept of it, if anything. */
  judge(openMs: number, endMs: number, state: CandleState | undefined): Verdict {
    const spans = this.#spans;
    let missing = state?.lostTrades ?? 0;
    let complete =
      openMs > spans.startMs && endMs <= this.#doubtFromMs && (state === undefined || !state.tainted);
    for (let i = spans.holes - 1; i >= 0; i--) {
      const { trades, fromMs, toMs } = spans.hole(i);
      if (fromMs >= endMs || toMs < openMs) continue;
      complete = false;
      if (fromMs >= openMs && toMs < endMs) missing += trades;
    }
    return { missing, complete };
  }

  /**
   * Takes out the holes that no trade may fill any more, because they ended before `fillableMs`, oldest first. A hole
   * that reaches into a doubt stays: its candles are judged once more when the doubt is over.
   */
  *takeLost(fillableMs: number): Generator<Hole> {
    const spans = this.#spans;
    const beforeMs = Math.min(fillableMs, this.#doubtFromMs);
    while (spans.holes > 0 && (spans.hole(0).toMs < beforeMs || spans.tooManyHoles)) {
      const hole = spans.hole(0);
      spans.dropOldestHole();
      yield hole;
    }
  }

  /** Venue time before which no trade to come changes a verdict, ms. */
  get settledMs(): number {
    const holeMs = this.#spans.holes === 0 ? Number.POSITIVE_INFINITY : this.#spans.hole(0).fromMs;
    // The next trade may skip ids, and so speak for all that lies after the newest one.
    return Math.min(holeMs, this.#doubtFromMs, this.#spans.newestMs);
  }
}
