import type { Msg, Subscription } from "nats";
import type { Bus } from "./connection.ts";
import { Waiters } from "./waiters.ts";

const NS_PER_MS = 1_000_000;
/** Most messages that are asked for and not taken yet. */
const MAX_MESSAGES = 32;
const EXPIRES_MS = 5_000;
const HEARTBEAT_MS = 500;
/** A request of which nothing is heard for this long is lost. */
const SILENCE_MS = 3 * HEARTBEAT_MS;
/** Statuses that answer a request: a heartbeat, and the two that end it without a fault. */
const STATUS_HEARTBEAT = 100;
const STATUS_NO_MESSAGES = 404;
const STATUS_EXPIRED = 408;

/** Why a consumer gives no more messages. */
export type PullFailure = "disconnected" | "silent" | "refused" | "consumer_gone" | "no_stream";

/** The consumer has to be made anew. */
export class PullError extends Error {
  override readonly name = "PullError";
  readonly reason: PullFailure;

  constructor(reason: PullFailure, message: string) {
    super(message);
    this.reason = reason;
  }
}

/**
 * Messages of a pull consumer, a few in advance. Nothing is asked for while a slow caller has half of them left, and
 * heartbeats are missed only while something is asked for. (The client's own `consume` takes a caller that holds a
 * message for a second for a dead consumer and asks again twice a second: when the caller comes back, it gets all.)
 */
export class PullQueue {
  readonly #bus: Bus;
  readonly #target: string;
  readonly #inbox: string;
  readonly #subscription: Subscription;
  readonly #stopListening: () => void;
  readonly #timer: NodeJS.Timeout;
  readonly #waiters = new Waiters();
  /** At most {@link MAX_MESSAGES}, with those that are under way. */
  readonly #queue: Msg[] = [];
  #underWay = 0;
  #requests = 0;
  #request = "";
  #heard = false;
  #heardMs = 0;
  #checkedMs = performance.now();
  #failure: PullError | undefined;

  constructor(bus: Bus, stream: string, consumer: string) {
    this.#bus = bus;
    this.#target = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`;
    this.#inbox = bus.createInbox();
    this.#subscription = bus.connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.#onMessage(message);
        else this.#fail("refused", error.message);
      },
    });
    this.#stopListening = bus.listen({ onLost: () => this.#fail("disconnected", "the connection is lost") });
    this.#timer = setInterval(() => this.#check(), HEARTBEAT_MS);
    this.#ask();
  }

  /** Whether the server has answered at all. */
  get heard(): boolean {
    return this.#heard;
  }

  /** Messages that wait to be taken. */
  get size(): number {
    return this.#queue.length;
  }

  /**
   * The next message, or undefined if none has come yet.
   *
   * @throws {PullError} if none will come any more
   */
  take(): Msg | undefined {
    if (this.size === 0) {
      if (this.#failure !== undefined) throw this.#failure;
      return undefined;
    }
    const message = this.#queue.shift();
    this.#ask();
    return message;
  }

  /** Resolves when {@link take} has something to say, or the signal is aborted. */
  filled(signal: AbortSignal): Promise<void> {
    return this.#waiters.until(() => this.size > 0 || this.#failure !== undefined, signal);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#stopListening();
    if (!this.#bus.connection.isClosed()) this.#subscription.unsubscribe();
  }

  /** One request at a time: what it brings and what the queue holds never exceeds the bound. */
  #ask(): void {
    const room = MAX_MESSAGES - this.size;
    if (this.#underWay > 0 || room < MAX_MESSAGES / 2 || this.#failure !== undefined) return;
    if (!this.#bus.connected) {
      this.#fail("disconnected", "the connection is lost");
      return;
    }
    this.#underWay = room;
    this.#heardMs = performance.now();
    this.#request = `${this.#inbox}.${this.#requests++}`;
    const body = { batch: room, expires: EXPIRES_MS * NS_PER_MS, idle_heartbeat: HEARTBEAT_MS * NS_PER_MS };
    this.#bus.connection.publish(this.#target, JSON.stringify(body), { reply: this.#request });
  }

  #onMessage(message: Msg): void {
    this.#heardMs = performance.now();
    if (message.subject.startsWith(this.#inbox)) {
      if (message.subject === this.#request) this.#onStatus(message);
      return;
    }
    this.#heard = true;
    if (this.#underWay > 0) this.#underWay--;
    this.#queue.push(message);
    this.#ask();
    this.#waiters.wake();
  }

  #onStatus({ headers }: Msg): void {
    const code = headers?.code ?? 0;
    if (code === STATUS_NO_MESSAGES || code === STATUS_EXPIRED) {
      this.#heard = true;
      this.#underWay = 0;
      this.#ask();
    } else if (code === STATUS_HEARTBEAT) {
      this.#heard = true;
    } else {
      this.#fail("consumer_gone", `${code} ${headers?.description}`);
    }
  }

  #check(): void {
    const nowMs = performance.now();
    const late = nowMs - this.#checkedMs > 2 * HEARTBEAT_MS;
    this.#checkedMs = nowMs;
    // The event loop was busy: heartbeats may be there, and are read before the next check.
    if (late || this.#underWay === 0 || nowMs - this.#heardMs < SILENCE_MS) return;
    this.#fail("silent", `no heartbeat within ${SILENCE_MS} ms`);
  }

  #fail(reason: PullFailure, why: string): void {
    this.#failure ??= new PullError(reason, `Cannot read from "${this.#target}": ${why}`);
    this.#waiters.wake();
  }
}
