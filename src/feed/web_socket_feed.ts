import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { Backoff } from "../actor/backoff.ts";
import type { Exchange, FrameReader, Trade } from "../exchange/exchange.ts";
import type { Market } from "../market/market.ts";
import type { Logger } from "../observe/log.ts";
import { FeedAccount } from "./feed_account.ts";
import type { SocketEnd } from "./feed_socket.ts";
import type { ReceiveClock } from "./receive_clock.ts";
import { SilenceLimit } from "./silence_limit.ts";
import { type FeedRejection, SubscribedSocket } from "./subscribed_socket.ts";

const SILENCE_CHECKS = 8;

export interface FeedListener {
  /** A trade; the object is reused once the call returns. */
  trade(trade: Trade): void;
  rejected(reason: FeedRejection, message: string, sample: string): void;
  /** From now on, every trade of these markets (indexes of the reader) arrives. */
  connected(markets: readonly number[]): void;
  /** From now on, trades of these markets may be missed. */
  disconnected(markets: readonly number[]): void;
}

export interface WebSocketFeedOptions {
  readonly exchange: Exchange;
  /** Scheme, host and port. */
  readonly baseUrl: string;
  /** Knows all markets of the venue; feeds of one process may share it. */
  readonly reader: FrameReader;
  /** At most `streamsPerConnection` of them. */
  readonly markets: readonly Market[];
  /** Index of the first of `markets` among the reader's. */
  readonly firstMarket: number;
  readonly clock: ReceiveClock;
  readonly log: Logger;
  /** Longest silence of all markets together before the connection is replaced, ms. @default 30000 */
  readonly silenceMs?: number;
  /** Between two pings, and the longest wait for any answer, ms. @default 5000 */
  readonly pingMs?: number;
  /** Longest connection attempt, and longest wait for the subscriptions of a successor, ms. @default 10000 */
  readonly connectTimeoutMs?: number;
  /** Age at which a successor takes over, ms, less up to 1 % by chance. Binance cuts at 24 h. @default 85800000 */
  readonly rolloverMs?: number;
  /** How long a connection and its successor both deliver, ms. @default 2000 */
  readonly overlapMs?: number;
  /** Longer frames are rejected unread. @default 65536 */
  readonly maxFrameBytes?: number;
  /**
   * A connection whose trades come later than this, ms, compared with its quickest ones, is replaced: what waits in the
   * buffers on the way is shed, as the ids of later trades show. 0: none is; see `TICK_MAX_LAG`. @default 0
   */
  readonly maxAgeMs?: number;
  /** Bounds of the delay between attempts, ms. @default 500, 30000 */
  readonly retryMinMs?: number;
  readonly retryMaxMs?: number;
  /** @default Math.random */
  readonly random?: () => number;
}

/**
 * The trades of some markets over one connection that is replaced whenever it fails, for ever. Only while an ageing
 * connection hands over to its successor are there two of them; then trades come twice, and none is missed.
 */
export class WebSocketFeed {
  readonly account = new FeedAccount();
  readonly #options: Required<WebSocketFeedOptions>;
  readonly #listener: FeedListener;
  readonly #silence: SilenceLimit;
  /** Two at most: the connection in use, and its successor or predecessor. */
  readonly #sockets = new Set<SubscribedSocket>();
  readonly #up: boolean[];
  #paused = false;

  constructor(options: WebSocketFeedOptions, listener: FeedListener) {
    this.#options = {
      silenceMs: 30_000,
      pingMs: 5_000,
      connectTimeoutMs: 10_000,
      rolloverMs: 85_800_000,
      overlapMs: 2000,
      maxFrameBytes: 65_536,
      maxAgeMs: 0,
      retryMinMs: 500,
      retryMaxMs: 30_000,
      random: Math.random,
      ...options,
    };
    this.#listener = listener;
    this.#silence = new SilenceLimit(this.#options.silenceMs);
    const { exchange, markets } = this.#options;
    this.#up = new Array(Math.ceil(markets.length / exchange.limits.streamsPerRequest)).fill(false);
  }

  /**
   * Delivers until the signal is aborted.
   *
   * @throws {Error} if the runtime does not let this process connect
   */
  async run(signal: AbortSignal): Promise<void> {
    const { log, retryMinMs, retryMaxMs, random, exchange } = this.#options;
    const backoff = new Backoff({ minMs: retryMinMs, maxMs: retryMaxMs, random });
    while (!signal.aborted) {
      const { end, delivered } = await this.#serve(signal);
      if (signal.aborted) break;
      if (end.denied !== undefined) throw end.denied;
      if (delivered) backoff.reset();
      const waitMs = backoff.nextMs();
      log.warn({ venue: exchange.venue, ...end, waitMs: Math.round(waitMs) }, "connection ended");
      await wait(waitMs, signal);
    }
  }

  /** Stops reading, so that TCP slows the venue down. */
  pause(): void {
    this.#paused = true;
    for (const { socket } of this.#sockets) socket.pause();
  }

  resume(): void {
    this.#paused = false;
    for (const socket of this.#sockets) socket.resume();
  }

  /** One connection and those that take over from it, until the last one ended. */
  async #serve(signal: AbortSignal): Promise<{ end: SocketEnd; delivered: boolean }> {
    let current = this.#connect();
    let delivered = false;
    let rolloverMs = this.#options.rolloverMs * (1 - this.#options.random() / 100);
    const stop = (): void => {
      for (const { socket } of this.#sockets) socket.close("stopped");
    };
    signal.addEventListener("abort", stop, { once: true });
    const watch = setInterval(() => this.#watchSilence(current), this.#options.silenceMs / SILENCE_CHECKS);
    try {
      for (;;) {
        const end = await firstOf(rolloverMs, current.socket.ended);
        delivered ||= current.delivered;
        if (end !== "late") return { end, delivered };
        const successor = await this.#rollOver(current);
        rolloverMs = successor === current ? this.#options.retryMaxMs : this.#options.rolloverMs;
        current = successor;
      }
    } finally {
      clearInterval(watch);
      signal.removeEventListener("abort", stop);
    }
  }

  /** The connection to use from now on: a successor that took over, or the old one if that failed. */
  async #rollOver(old: SubscribedSocket): Promise<SubscribedSocket> {
    const { connectTimeoutMs, exchange, log, overlapMs } = this.#options;
    const next = this.#connect();
    const outcome = await firstOf(
      2 * connectTimeoutMs,
      next.served.then(() => "served" as const),
      next.socket.ended.then(() => "failed" as const),
      old.socket.ended.then(() => "alone" as const),
    );
    if (outcome === "alone") return next;
    if (outcome !== "served") {
      next.socket.terminate("replaced");
      const { detail } = await next.socket.ended;
      log.warn({ venue: exchange.venue, outcome, detail }, "rollover failed, the old connection stays");
      return old;
    }
    this.account.rollovers++;
    log.info({ venue: exchange.venue, rollovers: this.account.rollovers }, "connection rolled over");
    // What the venue sent before it served the successor may still be under way on the old connection.
    await firstOf(overlapMs, old.socket.ended, next.socket.ended);
    old.socket.close("replaced");
    await old.socket.ended;
    return next;
  }

  #connect(): SubscribedSocket {
    const { baseUrl, exchange, log } = this.#options;
    const socket = new SubscribedSocket(
      { ...this.#options, url: exchange.connectUrl(baseUrl), account: this.account },
      {
        trade: (trade) => this.#listener.trade(trade),
        rejected: (reason, message, sample) => this.#listener.rejected(reason, message, sample),
        refused: (message) => log.warn({ venue: exchange.venue, message }, "subscription refused"),
        served: () => this.#report(),
      },
    );
    if (this.#paused) socket.socket.pause();
    this.#sockets.add(socket);
    socket.socket.ended.then(({ cause }) => {
      this.account.ends.add(cause);
      this.#sockets.delete(socket);
      this.#report();
    });
    return socket;
  }

  #watchSilence({ lastTradeMs, socket }: SubscribedSocket): void {
    if (!socket.isOpen || this.#paused) return;
    const nowMs = performance.now();
    if (this.#silence.isExceeded(nowMs - lastTradeMs, nowMs)) socket.terminate("silence");
  }

  /** Tells the listener which markets are served now and were not before, and the other way round. */
  #report(): void {
    const changed: Record<"connected" | "disconnected", number[]> = { connected: [], disconnected: [] };
    const { exchange, firstMarket, markets } = this.#options;
    const size = exchange.limits.streamsPerRequest;
    const sockets = [...this.#sockets];
    for (let request = 0; request < this.#up.length; request++) {
      const up = sockets.some(({ subscription }) => subscription.isServed(request));
      if (up === this.#up[request]) continue;
      this.#up[request] = up;
      const first = request * size;
      for (let i = first; i < Math.min(first + size, markets.length); i++) {
        changed[up ? "connected" : "disconnected"].push(firstMarket + i);
      }
    }
    if (changed.disconnected.length > 0) this.#listener.disconnected(changed.disconnected);
    if (changed.connected.length > 0) this.#listener.connected(changed.connected);
  }
}

/** What settles first, or `late` after a time. */
async function firstOf<T>(withinMs: number, ...promises: readonly Promise<T>[]): Promise<T | "late"> {
  const timer = new AbortController();
  try {
    return await Promise.race([...promises, wait(withinMs, timer.signal)]);
  } finally {
    timer.abort();
  }
}

/** Waits for a time, or less if the signal is aborted. */
async function wait(timeMs: number, signal: AbortSignal): Promise<"late"> {
  try {
    await delay(timeMs, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return "late";
}
