import type { Bus } from "./connection.ts";

/** Publishes open candles. One that is not sent is replaced by the next within a moment, so nobody waits for acks. */
export class LivePublisher {
  readonly #bus: Bus;
  #skipped = 0;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** Updates that were not sent because there was no connection. */
  get skipped(): number {
    return this.#skipped;
  }

  publish(subject: string, data: Uint8Array): void {
    if (this.#bus.connected) this.#bus.connection.publish(subject, data);
    else this.#skipped++;
  }
}
