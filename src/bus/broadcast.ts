import type { Subscription } from "nats";
import type { Bus } from "./connection.ts";

/** Says something to all who listen at the moment, oneself included: nothing is kept for those who come later. */
export class Broadcast {
  readonly #bus: Bus;
  readonly #subject: string;
  readonly #subscription: Subscription;

  constructor(bus: Bus, subject: string, onMessage: (data: Uint8Array) => void) {
    this.#bus = bus;
    this.#subject = subject;
    this.#subscription = bus.connection.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) onMessage(message.data);
      },
    });
  }

  /** Says it, or nothing at all while there is no connection. */
  send(data: Uint8Array): void {
    if (this.#bus.connected) this.#bus.connection.publish(this.#subject, data);
  }

  close(): void {
    if (!this.#bus.connection.isClosed()) this.#subscription.unsubscribe();
  }
}
