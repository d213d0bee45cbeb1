/** Each bucket is 5 % wider than the one before: the error of a percentile. */
const GROWTH = 1.05;
const SMALLEST_MS = 0.01;
const BUCKETS = 400;

/** A distribution of lags in fixed memory, cheap enough to be fed per batch. */
export class LagHistogram {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;
  #sumMs = 0;
  #maxMs = 0;

  /** Adds a lag (ms) that `weight` ticks had; negative ones, from a clock that was set back, count as 0. */
  add(lagMs: number, weight = 1): void {
    const bucket = lagMs <= SMALLEST_MS ? 0 : Math.ceil(Math.log(lagMs / SMALLEST_MS) / Math.log(GROWTH));
    const index = Math.min(bucket, BUCKETS - 1);
    this.#counts[index] = this.#counts[index]! + weight;
    this.#total += weight;
    if (lagMs > 0) this.#sumMs += lagMs * weight;
    if (lagMs > this.#maxMs) this.#maxMs = lagMs;
  }

  /** How many ticks were counted. */
  get count(): number {
    return this.#total;
  }

  /** The lags of all ticks together, ms. */
  get sumMs(): number {
    return this.#sumMs;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  /** The lag that a share of all ticks, 0 to 1, did not exceed, ms; 0 when there were none. */
  quantileMs(share: number): number {
    let rest = share * this.#total;
    if (rest === 0) return 0;
    for (let i = 0; i < BUCKETS; i++) {
      rest -= this.#counts[i]!;
      if (rest <= 0) return Math.min(SMALLEST_MS * GROWTH ** i, this.#maxMs);
    }
    return this.#maxMs;
  }

  /** How many ticks surely had no longer lag; some that had up to 5 % less are left out. */
  countUpTo(limitMs: number): number {
    let count = 0;
    for (let i = 0; i < BUCKETS - 1 && SMALLEST_MS * GROWTH ** i <= limitMs; i++) count += this.#counts[i]!;
    return count;
  }

  /** Adds all of another distribution. */
  merge(other: LagHistogram): void {
    for (let i = 0; i < BUCKETS; i++) this.#counts[i] = this.#counts[i]! + other.#counts[i]!;
    this.#total += other.#total;
    this.#sumMs += other.#sumMs;
    if (other.#maxMs > this.#maxMs) this.#maxMs = other.#maxMs;
  }

  reset(): void {
    this.#counts.fill(0);
    this.#total = 0;
    this.#sumMs = 0;
    this.#maxMs = 0;
  }
}
