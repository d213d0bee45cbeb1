import type { Bus } from "./connection.ts";
import type { Streams } from "./streams.ts";

const PROBE_INTERVAL_MS = 1_000;
const PROBE_TIMEOUT_MS = 2_000;

/**
 * Publishes open candles. One that is not sent is replaced by the next within a moment, so nobody waits for acks; one
 * a second asks for its ack all the same, as nothing else would tell that somebody has deleted the stream.
 */
export class LivePublisher {
  readonly #bus: Bus;
  readonly #streams: Streams;
  #skipped = 0;
  #probedMs = Number.NEGATIVE_INFINITY;

  constructor(bus: Bus, streams: Streams) {
    this.#bus = bus;
    this.#streams = streams;
  }

  /** Updates that were not sent because there was no connection, or that the stream did not confirm. */
  get skipped(): number {
    return this.#skipped;
  }

  publish(subject: string, data: Uint8Array): void {
    if (!this.#bus.connected) {
      this.#skipped++;
      return;
    }
    const nowMs = performance.now();
    if (nowMs - this.#probedMs < PROBE_INTERVAL_MS) {
      this.#bus.connection.publish(subject, data);
      return;
    }
    this.#probedMs = nowMs;
    void this.#probe(subject, data);
  }

  /** No answer may also mean that somebody else listens to the subject, and not the stream. */
  async #probe(subject: string, data: Uint8Array): Promise<void> {
    try {
      await this.#bus.connection.request(subject, data, { timeout: PROBE_TIMEOUT_MS });
    } catch {
      this.#skipped++;
      if (this.#bus.connected) await this.#streams.repair("LIVE");
    }
  }
}
