import type { SavedSpan } from "./saved_state.ts";

/** Trades with consecutive ids, all of which are known. */
interface Span {
  firstId: number;
  firstMs: number;
  lastId: number;
  lastMs: number;
}

/** Trades whose ids were skipped, and the trade times of their neighbours: between these they must lie. */
export interface Hole {
  readonly trades: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** A known trade next to a hole. */
export interface Neighbour {
  readonly id: number;
  readonly timeMs: number;
}

/** Where an id lies among the known ones; `below` and `above` are absent where nothing is known on that side. */
export interface Place {
  readonly known: boolean;
  readonly below: Neighbour | undefined;
  readonly above: Neighbour | undefined;
}

/** Most holes that stay open at a time; beyond it the oldest ones are to be given up. */
const MAX_HOLES = 4096;
/** Most given up holes that are remembered. */
const MAX_LOST = 1024;

/**
 * Which trades of a market are known, by the venue's numbering: spans of consecutive ids with holes between them.
 * In the ordinary case there is one span, and a trade makes it longer by one.
 */
export class TradeSpans {
  readonly #spans: Span[] = [];
  /** First and last ids of the holes that were given up, the latest ones. */
  readonly #lost: (readonly [number, number])[] = [];

  save(): SavedSpan[] {
    return this.#spans.map(({ firstId, firstMs, lastId, lastMs }) => [firstId, firstMs, lastId, lastMs]);
  }

  /** Goes on from what {@link save} gave; nothing was noted before. */
  load(saved: readonly SavedSpan[]): void {
    for (const [firstId, firstMs, lastId, lastMs] of saved) {
      this.#spans.push({ firstId, firstMs, lastId, lastMs });
    }
  }

  /**
   * Begins with no trade, after one with a known id; nothing was noted before.
   *
   * @param startMs all that follows in the numbering is later, ms
   * @param reachedMs time from which on what follows may be missing, ms
   */
  beginAfter(id: number, { startMs, reachedMs }: { startMs: number; reachedMs: number }): void {
    this.#spans.push({ firstId: id + 1, firstMs: startMs, lastId: id, lastMs: reachedMs });
  }

  /** Time of the trade with the lowest id known, ms: what was before is not known. NaN before the first trade. */
  get startMs(): number {
    return this.#spans[0]?.firstMs ?? Number.NaN;
  }

  /** Time of the trade with the highest id known, ms. NaN before the first trade. */
  get newestMs(): number {
    return this.#spans.at(-1)?.lastMs ?? Number.NaN;
  }

  /** The highest id known. NaN before the first trade. */
  get newestId(): number {
    return this.#spans.at(-1)?.lastId ?? Number.NaN;
  }

  /** Whether an id is one of a hole that was given up, as far as is remembered. */
  wasLost(id: number): boolean {
    return this.#lost.some(([first, last]) => id >= first && id <= last);
  }

  /** How many holes there are. */
  get holes(): number {
    return Math.max(0, this.#spans.length - 1);
  }

  get tooManyHoles(): boolean {
    return this.#spans.length > MAX_HOLES + 1;
  }

  /** Notes a trade if it is the first one or follows the highest id known; else does nothing and says so. */
  extend(id: number, timeMs: number): boolean {
    const last = this.#spans[this.#spans.length - 1];
    if (last === undefined) {
      this.#spans.push({ firstId: id, firstMs: timeMs, lastId: id, lastMs: timeMs });
      return true;
    }
    if (id !== last.lastId + 1) return false;
    last.lastId = id;
    last.lastMs = timeMs;
    return true;
  }

  /** Where an id lies among the known ones. */
  place(id: number): Place {
    const after = this.#firstAbove(id);
    const below = this.#spans[after - 1];
    const above = this.#spans[after];
    return {
      known: below !== undefined && id <= below.lastId,
      below: below && { id: below.lastId, timeMs: below.lastMs },
      above: above && { id: above.firstId, timeMs: above.firstMs },
    };
  }

  /** Notes a trade that is not known and lies anywhere. */
  insert(id: number, timeMs: number): void {
    const spans = this.#spans;
    const after = this.#firstAbove(id);
    const below = spans[after - 1];
    const above = spans[after];
    const joinsBelow = below !== undefined && id === below.lastId + 1;
    const joinsAbove = above !== undefined && id === above.firstId - 1;
    if (joinsBelow && joinsAbove) {
      below.lastId = above.lastId;
      below.lastMs = above.lastMs;
      spans.splice(after, 1);
    } else if (joinsBelow) {
      below.lastId = id;
      below.lastMs = timeMs;
    } else if (joinsAbove) {
      above.firstId = id;
      above.firstMs = timeMs;
    } else {
      spans.splice(after, 0, { firstId: id, firstMs: timeMs, lastId: id, lastMs: timeMs });
    }
  }

  /** Hole number `index`, oldest first. */
  hole(index: number): Hole {
    const below = this.#spans[index]!;
    const above = this.#spans[index + 1]!;
    return {
      trades: above.firstId - below.lastId - 1,
      fromMs: Math.min(below.lastMs, above.firstMs),
      toMs: Math.max(below.lastMs, above.firstMs),
    };
  }

  /** Gives the oldest hole up: its ids count as known from now on. */
  dropOldestHole(): void {
    const [oldest, next] = this.#spans;
    this.#lost.push([oldest!.lastId + 1, next!.firstId - 1]);
    if (this.#lost.length > MAX_LOST) this.#lost.shift();
    next!.firstId = oldest!.firstId;
    next!.firstMs = oldest!.firstMs;
    this.#spans.shift();
  }

  /** Forgets all ids: the venue numbers anew. */
  clear(): void {
    this.#spans.length = 0;
    this.#lost.length = 0;
  }

  /** Index of the first span that begins above the id. */
  #firstAbove(id: number): number {
    let from = 0;
    let to = this.#spans.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.#spans[middle]!.firstId > id) to = middle;
      else from = middle + 1;
    }
    return from;
  }
}
