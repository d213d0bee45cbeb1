/** How much two clocks may drift apart, ms a ms. */
const MAX_DRIFT = 1e-4;
/** Trades that are judged as one, so that a single false time among them changes nothing. */
const SAMPLE_TRADES = 16;

/**
 * Whether a connection delivers its trades too late: where more comes than can be read, it waits in the buffers between
 * the venue and us, and nobody counts the time. The shortest lag of the connection stands for the way and for the
 * difference of the clocks; what a lag exceeds it by is the trades' age.
 */
export class AgeLimit {
  readonly #limitMs: number;
  /** The shortest lag, and when it was measured, ms. */
  #baseMs = Number.POSITIVE_INFINITY;
  #baseAtMs = 0;
  /** Of the sample that is being taken. */
  #count = 0;
  #shortestMs = Number.POSITIVE_INFINITY;
  #longestMs = Number.NEGATIVE_INFINITY;

  /** @param limitMs the age that is too high, ms; 0: none is */
  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /** Takes a trade's lag, from the venue's clock to ours; whether the latest ones are all too old. */
  isExceededBy(lagMs: number, nowMs: number): boolean {
    if (this.#limitMs === 0) return false;
    if (lagMs < this.#shortestMs) this.#shortestMs = lagMs;
    if (lagMs > this.#longestMs) this.#longestMs = lagMs;
    if (++this.#count < SAMPLE_TRADES) return false;
    const [shortestMs, longestMs] = [this.#shortestMs, this.#longestMs];
    this.#count = 0;
    this.#shortestMs = Number.POSITIVE_INFINITY;
    this.#longestMs = Number.NEGATIVE_INFINITY;
    const baseMs = this.#baseMs + MAX_DRIFT * (nowMs - this.#baseAtMs);
    if (longestMs <= baseMs) {
      this.#baseMs = longestMs;
      this.#baseAtMs = nowMs;
    }
    return shortestMs - baseMs > this.#limitMs;
  }
}
