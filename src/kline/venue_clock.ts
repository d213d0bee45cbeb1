/**
 * The venue's clock as far as it can be known from its trades: the latest trade time seen plus the local monotonic
 * time since. The local wall clock has no say, so a skewed host and a recording of years ago give the same candles.
 */
export class VenueClock {
  #latestMs = Number.NEGATIVE_INFINITY;
  #seenMs = 0;

  /** The latest trade time seen, ms; -Infinity before the first trade. */
  get latestMs(): number {
    return this.#latestMs;
  }

  /** Takes note of a trade time at a local monotonic time, both ms. */
  observe(tradeMs: number, monotonicMs: number): void {
    if (tradeMs > this.#latestMs) {
      this.#latestMs = tradeMs;
      this.#seenMs = monotonicMs;
    }
  }

  /** Venue time at a local monotonic time, ms since the epoch; -Infinity before the first trade. */
  at(monotonicMs: number): number {
    return this.#latestMs + (monotonicMs - this.#seenMs);
  }
}
