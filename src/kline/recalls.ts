import type { Interval } from "../market/interval.ts";

/** Which candle of a market. */
export interface Recall {
  readonly interval: Interval;
  readonly openMs: number;
}

/** Most candles that are remembered to have been recalled. To do it again costs a look into the stream and changes nothing. */
const MAX_DONE = 10_000;

/**
 * Candles of one market that were closed and forgotten, and of which it turned out that they lack a trade: it came too
 * late for them. What was published has to be found and published again, as incomplete.
 */
export class Recalls {
  readonly #pending = new Map<string, Recall>();
  readonly #done = new Set<string>();

  /** Recalls a candle, unless that was done. */
  add(interval: Interval, openMs: number): void {
    const key = keyOf({ interval, openMs });
    if (!this.#done.has(key)) this.#pending.set(key, { interval, openMs });
  }

  /** How many are still to be found. */
  get size(): number {
    return this.#pending.size;
  }

  /** Those that are still to be found. */
  pending(): Recall[] {
    return [...this.#pending.values()];
  }

  /** Notes that they were published again, or never will be. */
  settle(recalls: Iterable<Recall>): void {
    for (const recall of recalls) {
      const key = keyOf(recall);
      this.#pending.delete(key);
      if (this.#done.size >= MAX_DONE) this.#done.clear();
      this.#done.add(key);
    }
  }
}

/** Tells a candle of a market from the others. */
export function keyOf({ interval, openMs }: Recall): string {
  return `${interval} ${openMs}`;
}
