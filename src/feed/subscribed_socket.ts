import { performance } from "node:perf_hooks";
import type { Exchange, FrameReader, FrameRejection, Trade } from "../exchange/exchange.ts";
import type { Market } from "../market/market.ts";
import { AgeLimit } from "./age_limit.ts";
import type { FeedAccount } from "./feed_account.ts";
import { FeedSocket, type FeedSocketOptions } from "./feed_socket.ts";
import type { ReceiveClock } from "./receive_clock.ts";
import { Subscription } from "./subscription.ts";

/** Why a frame was refused. */
export type FeedRejection = FrameRejection | "binary" | "oversized";

const SAMPLE_LENGTH = 200;

export interface SubscribedSocketOptions extends FeedSocketOptions {
  readonly exchange: Exchange;
  readonly reader: FrameReader;
  readonly markets: readonly Market[];
  /** Index of the first of `markets` among the reader's. */
  readonly firstMarket: number;
  /** Longer frames are rejected unread. */
  readonly maxFrameBytes: number;
  /** A connection whose trades are older is ended, ms; 0: none is. */
  readonly maxAgeMs: number;
  readonly clock: ReceiveClock;
  readonly account: FeedAccount;
  readonly random: () => number;
}

export interface SubscribedSocketEvents {
  trade(trade: Trade): void;
  rejected(reason: FeedRejection, message: string, sample: string): void;
  refused(message: string): void;
  /** The venue serves more of the subscription than before. */
  served(): void;
}

/** One connection with its subscriptions: it asks for the markets and reads what comes. */
export class SubscribedSocket {
  readonly subscription: Subscription;
  readonly socket: FeedSocket;
  /** When the last trade came, or the connection was begun, ms by the local monotonic clock. */
  lastTradeMs = performance.now();
  /** Whether any trade came. */
  delivered = false;
  /** Settles when the venue serves the whole subscription; never, if the connection ends before. */
  readonly served: Promise<void>;
  #settleServed: () => void = () => {};
  readonly #options: SubscribedSocketOptions;
  readonly #events: SubscribedSocketEvents;
  readonly #ageLimit: AgeLimit;
  #requests: NodeJS.Timeout | undefined;

  constructor(options: SubscribedSocketOptions, events: SubscribedSocketEvents) {
    this.#options = options;
    this.#events = events;
    this.#ageLimit = new AgeLimit(options.maxAgeMs);
    this.subscription = new Subscription(options.exchange, options.markets, options.random);
    this.served = new Promise((resolve) => {
      this.#settleServed = resolve;
    });
    this.socket = new FeedSocket(options, {
      opened: () => this.#subscribe(),
      frame: (frame, isBinary) => this.#readFrame(frame, isBinary),
    });
    this.socket.ended.then(() => clearInterval(this.#requests));
  }

  resume(): void {
    this.lastTradeMs = performance.now();
    this.socket.resume();
  }

  #subscribe(): void {
    this.#options.account.connections++;
    this.#sendRequest();
    const { requestIntervalMs } = this.#options.exchange.limits;
    this.#requests = setInterval(() => this.#sendRequest(), requestIntervalMs);
  }

  #sendRequest(): void {
    if (!this.socket.isOpen || this.subscription.served) clearInterval(this.#requests);
    else {
      const text = this.subscription.nextRequest(performance.now());
      if (text !== undefined) this.socket.send(text);
    }
  }

  #readFrame(frame: Buffer, isBinary: boolean): void {
    const { account, clock, maxFrameBytes, reader } = this.#options;
    account.frames++;
    if (isBinary) {
      this.#reject("binary", `Cannot read frame of ${frame.length} bytes: it is binary`, frame);
      return;
    }
    if (frame.length > maxFrameBytes) {
      this.#reject("oversized", `Cannot read frame of ${frame.length} bytes: above ${maxFrameBytes}`, frame);
      return;
    }
    switch (reader.read(frame.toString())) {
      case "trade":
        reader.trade.receivedMs = clock.now();
        this.#noteTrade(reader.trade);
        this.#events.trade(reader.trade);
        break;
      case "rejected":
        this.#reject(reader.reason, reader.message, frame);
        break;
      case "ignored":
        account.ignored++;
        break;
      case "ack":
        if (this.subscription.acknowledge(reader.requestId)) this.#noteServed();
        break;
      case "refusal":
        account.refusals++;
        this.subscription.refuse(reader.requestId, performance.now());
        this.#events.refused(reader.message);
        break;
    }
  }

  #noteTrade({ market, receivedMs, eventMs }: Trade): void {
    this.delivered = true;
    // All that waits between the venue and here goes at once; a new connection begins with what is new.
    if (this.#ageLimit.isExceededBy(receivedMs - eventMs, receivedMs)) this.socket.terminate("stale");
    this.lastTradeMs = receivedMs - performance.timeOrigin;
    if (this.subscription.served) return;
    const { exchange, firstMarket } = this.#options;
    const request = Math.floor((market - firstMarket) / exchange.limits.streamsPerRequest);
    if (this.subscription.serve(request)) this.#noteServed();
  }

  #noteServed(): void {
    this.#events.served();
    if (this.subscription.served) this.#settleServed();
  }

  #reject(reason: FeedRejection, message: string, frame: Buffer): void {
    this.#events.rejected(reason, message, frame.toString("latin1", 0, SAMPLE_LENGTH));
  }
}
