/** More time than this between two looks was not spent looking. */
const MAX_STEP_MS = 300;

/**
 * How long this process has been looking, ms: it stands still while the process is frozen or too busy, when what
 * others do goes unseen. What is seen unchanged for a time by this clock was unchanged for at least that time.
 */
export class ObservationClock {
  readonly #now: () => number;
  #lookedMs: number;
  #observedMs = 0;

  /** @param now monotonic clock, ms */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#lookedMs = now();
  }

  /** Looks, and says for how long that has been done. */
  look(): number {
    const nowMs = this.#now();
    this.#observedMs += Math.min(nowMs - this.#lookedMs, MAX_STEP_MS);
    this.#lookedMs = nowMs;
    return this.#observedMs;
  }
}
