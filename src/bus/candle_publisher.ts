import { setTimeout as delay } from "node:timers/promises";
import { AckedPublisher, type FailureCause } from "./acked_publisher.ts";
import type { Bus } from "./connection.ts";
import type { Streams } from "./streams.ts";
import { Waiters } from "./waiters.ts";

/** Most candles that are kept until the stream has them; beyond it the sender waits. */
const MAX_PENDING = 8_192;
const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 2_000;

interface Pending {
  readonly subject: string;
  readonly data: Uint8Array;
  stored: boolean;
}

/**
 * Publishes closed candles until the stream has them. Nothing is lost while the process lives, and the last message
 * of a candle in the stream is its newest revision: after a failure everything from the oldest unconfirmed candle on
 * is sent again in its order, so candles may arrive more than once.
 */
export class CandlePublisher {
  readonly #bus: Bus;
  readonly #streams: Streams;
  readonly #publisher: AckedPublisher;
  /** A ring; positions count up for ever: head (oldest unconfirmed) ≤ next (to be sent) ≤ tail. */
  readonly #ring = new Array<Pending | undefined>(MAX_PENDING);
  /** Positions by token, of what is under way. */
  readonly #underWay = new Map<number, number>();
  readonly #waiters = new Waiters();
  readonly #closed = new AbortController();
  #head = 0;
  #next = 0;
  #tail = 0;
  #retried = 0;
  #retryMs = MIN_RETRY_MS;
  #resuming = false;

  constructor(bus: Bus, streams: Streams) {
    this.#bus = bus;
    this.#streams = streams;
    this.#publisher = new AckedPublisher(bus, {
      onStored: (token) => this.#onStored(token),
      onFailed: (token, cause) => this.#onFailed(token, cause),
    });
  }

  /** Candles that the stream has confirmed. */
  get stored(): number {
    return this.#head;
  }

  /** Candles that were handed over. */
  get accepted(): number {
    return this.#tail;
  }

  /** How often a candle was sent again. */
  get retried(): number {
    return this.#retried;
  }

  /** Candles that the stream has not confirmed yet, or not in their order. */
  get pending(): number {
    return this.#tail - this.#head;
  }

  /** How many candles may be published before {@link room} has to be awaited. */
  get capacity(): number {
    return MAX_PENDING - this.pending;
  }

  /**
   * Sends a candle. `data` must not change any more.
   *
   * @throws {RangeError} if there is no capacity
   */
  publish(subject: string, data: Uint8Array): void {
    if (this.capacity === 0) {
      throw new RangeError(`Cannot publish candle "${subject}": ${MAX_PENDING} are waiting for the stream`);
    }
    this.#ring[this.#tail++ % MAX_PENDING] = { subject, data, stored: false };
    if (this.#resuming) return;
    if (this.#bus.connected) this.#sendAll();
    else void this.#resume();
  }

  /** Resolves when there is room for half of all, or the signal is aborted. */
  room(signal: AbortSignal): Promise<void> {
    return this.#waiters.until(() => this.pending <= MAX_PENDING / 2, signal);
  }

  /** Resolves when the stream has everything that was handed over until now, or the signal is aborted. */
  flush(signal: AbortSignal): Promise<void> {
    const accepted = this.#tail;
    return this.#waiters.until(() => this.#head >= accepted, signal);
  }

  close(): void {
    this.#closed.abort();
    this.#publisher.close();
  }

  #sendAll(): void {
    for (; this.#next < this.#tail; this.#next++) {
      const { subject, data } = this.#ring[this.#next % MAX_PENDING]!;
      this.#underWay.set(this.#publisher.publish(subject, data), this.#next);
    }
  }

  #onStored(token: number): void {
    const position = this.#underWay.get(token);
    if (position === undefined) return;
    this.#underWay.delete(token);
    this.#ring[position % MAX_PENDING]!.stored = true;
    while (this.#head < this.#next && this.#ring[this.#head % MAX_PENDING]!.stored) {
      this.#ring[this.#head++ % MAX_PENDING] = undefined;
      this.#retryMs = MIN_RETRY_MS;
    }
    this.#waiters.wake();
  }

  #onFailed(token: number, cause: FailureCause): void {
    // What was under way is sent again as a whole; later answers to it do not count.
    if (!this.#underWay.has(token)) return;
    this.#underWay.clear();
    this.#bus.log.warn({ cause, candles: this.#next - this.#head }, "candles are sent again");
    for (let i = this.#head; i < this.#next; i++) this.#ring[i % MAX_PENDING]!.stored = false;
    this.#retried += this.#next - this.#head;
    this.#next = this.#head;
    void this.#resume();
  }

  /** Sends what waits once the stream is there again. */
  async #resume(): Promise<void> {
    if (this.#resuming) return;
    this.#resuming = true;
    const { signal } = this.#closed;
    do {
      await delay(this.#retryMs, undefined, { signal, ref: false }).catch(() => undefined);
      this.#retryMs = Math.min(2 * this.#retryMs, MAX_RETRY_MS);
      await this.#bus.untilConnected(signal);
    } while (!signal.aborted && !((await this.#streams.repair("CANDLES")) && this.#bus.connected));
    this.#resuming = false;
    if (!signal.aborted) this.#sendAll();
  }
}
