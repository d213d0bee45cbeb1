import { performance } from "node:perf_hooks";

/**
 * The local clock as frames see it, ms since the epoch with fractions: read once for all that arrives in one turn
 * of the event loop, and never running backwards.
 */
export class ReceiveClock {
  #turnMs = 0;

  now(): number {
    if (this.#turnMs === 0) {
      this.#turnMs = performance.timeOrigin + performance.now();
      setImmediate(this.#endTurn);
    }
    return this.#turnMs;
  }

  readonly #endTurn = (): void => {
    this.#turnMs = 0;
  };
}
