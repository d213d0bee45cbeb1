import type { Logger } from "../observe/log.ts";
import type { TickPublisher } from "./tick_publisher.ts";

export interface BackPressureOptions {
  readonly publisher: TickPublisher;
  readonly log: Logger;
  /** Longest pause of the sources, ms. */
  readonly maxPauseMs: number;
  /** Stops reading from the venue. */
  pause(): void;
  /** Reads on, and publishes what waited. */
  resume(): void;
  /** What was dropped so far, for the log. */
  dropped(): number;
}

/**
 * Passes a publisher's congestion on to the venue: nothing is read for a while, so that TCP holds the trades back.
 * If that does not help, reading goes on and what cannot be published is dropped and counted: late data is worth
 * less than the feed, which the venue would cut.
 */
export class BackPressure {
  /** How often the sources were paused. */
  episodes = 0;
  readonly #options: BackPressureOptions;
  #state: "flowing" | "paused" | "shedding" = "flowing";

  constructor(options: BackPressureOptions) {
    this.#options = options;
  }

  /** Whether to keep ticks back rather than to publish them. */
  get isPaused(): boolean {
    return this.#state === "paused";
  }

  /** Looks at the publisher; the promise of an episode that begins is the caller's to hold. */
  check(signal: AbortSignal): Promise<void> | undefined {
    if (this.#state !== "flowing" || !this.#options.publisher.congested) return undefined;
    return this.#relieve(signal);
  }

  async #relieve(signal: AbortSignal): Promise<void> {
    const { dropped, log, maxPauseMs, pause, publisher, resume } = this.#options;
    const droppedBefore = dropped();
    const startMs = performance.now();
    this.#state = "paused";
    this.episodes++;
    pause();
    // Not AbortSignal.any: on Node 20 its result may be collected before it fires.
    const timer = new AbortController();
    const stop = (): void => timer.abort();
    const timeout = setTimeout(stop, maxPauseMs);
    signal.addEventListener("abort", stop, { once: true });
    try {
      if (!signal.aborted) await publisher.waitForRoom(timer.signal);
    } finally {
      clearTimeout(timeout);
      signal.removeEventListener("abort", stop);
    }
    this.#state = "shedding";
    resume();
    if (publisher.congested && !signal.aborted) await publisher.waitForRoom(signal);
    this.#state = "flowing";
    const lastedMs = Math.round(performance.now() - startMs);
    log.warn({ lastedMs, droppedTicks: dropped() - droppedBefore }, "publisher was congested");
  }
}
