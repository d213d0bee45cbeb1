import { setTimeout as delay } from "node:timers/promises";
import { AckedPublisher } from "./acked_publisher.ts";
import type { Bus } from "./connection.ts";
import type { Streams } from "./streams.ts";

/** Most candles that wait for their ack or to be sent again; beyond it the sender waits. */
const MAX_PENDING = 8_192;
const RETRY_MS = 200;

interface Pending {
  readonly subject: string;
  readonly data: Uint8Array;
}

/**
 * Publishes closed candles until the stream has them. Nothing is lost while the process lives; after a failure a
 * candle may arrive twice or behind its own revision, which readers settle by the revision number.
 */
export class CandlePublisher {
  readonly #bus: Bus;
  readonly #streams: Streams;
  readonly #publisher: AckedPublisher;
  readonly #underWay = new Map<number, Pending>();
  readonly #waiting: Pending[] = [];
  #stored = 0;
  #retried = 0;
  #retrying = false;
  #wake: (() => void) | undefined;

  constructor(bus: Bus, streams: Streams) {
    this.#bus = bus;
    this.#streams = streams;
    this.#publisher = new AckedPublisher(bus, {
      onStored: (token) => {
        this.#underWay.delete(token);
        this.#stored++;
        this.#wake?.();
      },
      onFailed: (token) => this.#onFailed(token),
    });
  }

  /** Candles that the stream has confirmed. */
  get stored(): number {
    return this.#stored;
  }

  /** How often a candle had to be sent again. */
  get retried(): number {
    return this.#retried;
  }

  /** Candles that the stream has not confirmed yet. */
  get pending(): number {
    return this.#underWay.size + this.#waiting.length;
  }

  /** How many candles may be published before {@link room} has to be awaited. */
  get capacity(): number {
    return Math.max(0, MAX_PENDING - this.pending);
  }

  /** Sends a candle. */
  publish(subject: string, data: Uint8Array): void {
    const pending = { subject, data };
    if (this.#waiting.length > 0 || !this.#bus.connected) {
      this.#waiting.push(pending);
      void this.#retry();
    } else {
      this.#send(pending);
    }
  }

  /** Resolves when there is room for half of all, or the signal is aborted. */
  async room(signal: AbortSignal): Promise<void> {
    await this.#until(() => this.pending <= MAX_PENDING / 2, signal);
  }

  /** Resolves when the stream has everything, or the signal is aborted. */
  async flush(signal: AbortSignal): Promise<void> {
    await this.#until(() => this.pending === 0, signal);
  }

  close(): void {
    this.#publisher.close();
  }

  async #until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    const onAbort = () => this.#wake?.();
    signal.addEventListener("abort", onAbort);
    while (!condition() && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    signal.removeEventListener("abort", onAbort);
  }

  #send(pending: Pending): void {
    this.#underWay.set(this.#publisher.publish(pending.subject, pending.data), pending);
  }

  #onFailed(token: number): void {
    const pending = this.#underWay.get(token);
    if (pending === undefined) return;
    this.#underWay.delete(token);
    this.#waiting.push(pending);
    this.#retried++;
    void this.#retry();
  }

  /** Sends what waits, in the order in which it was published, once the stream is there again. */
  async #retry(): Promise<void> {
    if (this.#retrying) return;
    this.#retrying = true;
    while (this.#waiting.length > 0 && !this.#bus.connection.isClosed()) {
      await delay(RETRY_MS, undefined, { ref: false });
      if (!this.#bus.connected) continue;
      try {
        await this.#streams.ensure("CANDLES");
      } catch (error) {
        this.#bus.log.warn({ err: error }, "cannot create the candle stream");
        continue;
      }
      for (const pending of this.#waiting.splice(0)) this.#send(pending);
    }
    this.#retrying = false;
  }
}
