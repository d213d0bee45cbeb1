import { Empty, type Subscription } from "nats";
import { isNobodyThere } from "./api_error.ts";
import type { Bus } from "./connection.ts";

/**
 * A subject on which this process listens only to be found there: the server knows at once who listens, and no more
 * when the connection ends.
 */
export class CallSign {
  readonly #bus: Bus;
  readonly #subject: string;
  readonly #subscription: Subscription;

  /** @param onCalled called with true when somebody called, and with false when the server refuses to listen */
  constructor(bus: Bus, subject: string, onCalled: (listens: boolean) => void) {
    this.#bus = bus;
    this.#subject = subject;
    this.#subscription = bus.connection.subscribe(subject, {
      callback: (error) => onCalled(error === null),
    });
  }

  /** Calls itself: that this comes back proves that the server knows who listens. */
  call(): void {
    if (this.#bus.connected) this.#bus.connection.publish(this.#subject);
  }

  close(): void {
    if (!this.#bus.connection.isClosed()) this.#subscription.unsubscribe();
  }
}

/** Whether nobody listens on a subject; false also where that cannot be known within the timeout, ms. */
export function isNobodyOn(bus: Bus, subject: string, timeoutMs: number): Promise<boolean> {
  return bus.connection.request(subject, Empty, { timeout: timeoutMs }).then(() => false, isNobodyThere);
}
