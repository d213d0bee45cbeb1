import type { Candle } from "../market/candle.ts";
import type { Interval } from "../market/interval.ts";

/** What a life of the actor before this one published of a market, after the snapshot that this one goes on from. */
export class PublishedBefore {
  /** By interval and open time; the newest revision. */
  readonly #candles = new Map<string, Candle>();

  /** Notes a candle of the stream. */
  note(candle: Candle): void {
    const key = keyOf(candle);
    const known = this.#candles.get(key);
    if (known === undefined || known.revision <= candle.revision) this.#candles.set(key, candle);
  }

  /** How many candles are noted. */
  get size(): number {
    return this.#candles.size;
  }

  /** The newest candle of an interval. */
  newest(interval: Interval): Candle | undefined {
    let newest: Candle | undefined;
    for (const candle of this.#candles.values()) {
      const isNewer = newest === undefined || candle.openMs > newest.openMs;
      if (candle.interval === interval && isNewer) newest = candle;
    }
    return newest;
  }

  /**
   * The revision that a closed candle has now: that of the one before if it says nothing new, which must not be
   * published again, or else at least the next.
   *
   * @param isCut whether this life does not know the beginning of the candle: then what the other one knew is better
   */
  review(candle: Candle, isCut: boolean): { readonly revision: number; readonly isNews: boolean } {
    const key = keyOf(candle);
    const before = this.#candles.get(key);
    if (before === undefined) return { revision: candle.revision, isNews: true };
    if (
      candle.trades < before.trades ||
      (candle.trades === before.trades && (isCut || isSame(candle, before)))
    ) {
      return { revision: before.revision, isNews: false };
    }
    this.#candles.delete(key);
    return { revision: Math.max(candle.revision, before.revision + 1), isNews: true };
  }

  /** Forgets candles that ended before an instant, ms: they are not published any more. */
  forget(beforeMs: number): void {
    for (const [key, { endMs }] of this.#candles) if (endMs < beforeMs) this.#candles.delete(key);
  }
}

function keyOf({ interval, openMs }: Candle): string {
  return `${interval} ${openMs}`;
}

/** Whether two candles of as many trades say the same; how late they came does not matter. */
function isSame(one: Candle, other: Candle): boolean {
  return (
    one.missing === other.missing &&
    one.complete === other.complete &&
    one.firstId === other.firstId &&
    one.lastId === other.lastId &&
    one.open === other.open &&
    one.close === other.close &&
    one.volume === other.volume &&
    one.quoteVolume === other.quoteVolume
  );
}
