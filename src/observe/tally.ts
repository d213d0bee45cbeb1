/**
 * Counts by cause: ticks rejected by reason, batches dropped by cause. A plain map of numbers, cheap enough for
 * the hot path; `metrics.ts` exports it, and tests read it.
 *
 * The number of causes is bounded by the code that counts: a cause is a constant, never text from outside.
 */
export class Tally {
  readonly #counts = new Map<string, number>();
  #total = 0;

  /** Adds `amount` to the count of `cause`. */
  add(cause: string, amount = 1): void {
    this.#counts.set(cause, (this.#counts.get(cause) ?? 0) + amount);
    this.#total += amount;
  }

  /** The count of one cause; 0 when it never happened. */
  get(cause: string): number {
    return this.#counts.get(cause) ?? 0;
  }

  /** The sum over all causes. */
  get total(): number {
    return this.#total;
  }

  /** Every cause with its count, in the order of first appearance. */
  entries(): IterableIterator<[cause: string, count: number]> {
    return this.#counts.entries();
  }
}
