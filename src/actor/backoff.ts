/** Doubling further could not change a delay that is capped at any sane maximum. */
const MAX_DOUBLINGS = 30;

export interface BackoffOptions {
  /** Longest delay after the first failure, ms. @default 250 */
  readonly minMs?: number;
  /** Longest delay of all, ms. @default 30000 */
  readonly maxMs?: number;
  /** A number from 0 to 1. @default Math.random */
  readonly random?: () => number;
}

/**
 * Delays between attempts: each twice as long as the one before up to a cap, and from half of that to all of it by
 * chance, so that many clients of a server that went down do not come back as one.
 *
 * @example
 * ```ts
 * const backoff = new Backoff({ minMs: 100 });
 * await delay(backoff.nextMs(), undefined, { signal });
 * ```
 */
export class Backoff {
  readonly #minMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;
  #failures = 0;

  constructor({ minMs = 250, maxMs = 30_000, random = Math.random }: BackoffOptions = {}) {
    this.#minMs = minMs;
    this.#maxMs = maxMs;
    this.#random = random;
  }

  /** Counts a failure and says how long to wait before the next attempt, ms. */
  nextMs(): number {
    const longestMs = Math.min(this.#maxMs, this.#minMs * 2 ** Math.min(this.#failures++, MAX_DOUBLINGS));
    return longestMs * (0.5 + this.#random() / 2);
  }

  /** Forgets the failures: what was tried has worked. */
  reset(): void {
    this.#failures = 0;
  }
}
