import { performance } from "node:perf_hooks";
import { aborted } from "../actor/aborted.ts";
import type { Actor, ActorContext } from "../actor/actor.ts";
import { hostOf } from "../actor/host_of.ts";
import type { Exchange, Trade } from "../exchange/exchange.ts";
import { ReceiveClock } from "../feed/receive_clock.ts";
import { WebSocketFeed, type WebSocketFeedOptions } from "../feed/web_socket_feed.ts";
import type { Market } from "../market/market.ts";
import { shardOf } from "../market/shard.ts";
import type { Logger } from "../observe/log.ts";
import { Tally } from "../observe/tally.ts";
import { BackPressure } from "./back_pressure.ts";
import { addAccounts, type IngestAccount, sumTallies } from "./ingest_account.ts";
import { RecentTrades } from "./recent_trades.ts";
import { RejectionLog } from "./rejection_log.ts";
import { ShardAccount } from "./shard_account.ts";
import type { TickPublisher } from "./tick_publisher.ts";
import { TradeGate } from "./trade_gate.ts";
import { VenuePublisher } from "./venue_publisher.ts";

/** How often waiting trades, idle shards and the publisher are looked at, ms. */
const CHECK_MS = 50;
const STALL_MS = 10_000;

/** Limits of the feeds; see `WebSocketFeedOptions`. */
export type FeedLimits = Pick<
  WebSocketFeedOptions,
  | "silenceMs"
  | "pingMs"
  | "connectTimeoutMs"
  | "rolloverMs"
  | "overlapMs"
  | "maxFrameBytes"
  | "maxAgeMs"
  | "retryMinMs"
  | "retryMaxMs"
>;

export interface IngestOptions {
  readonly exchange: Exchange;
  /** Scheme, host and port of the venue's WebSocket. */
  readonly url: string;
  /** All of the exchange's venue, each once. */
  readonly markets: readonly Market[];
  readonly shards: number;
  readonly publisher: TickPublisher;
  readonly log: Logger;
  /** See `LATENESS`, ms. */
  readonly latenessMs: number;
  /** `host:port` of the servers that the publisher talks to. @default [] */
  readonly busHosts?: readonly string[];
  /** Longest pause of the venue's sockets while the publisher is congested, ms. @default 2000 */
  readonly maxPauseMs?: number;
  readonly feed?: FeedLimits;
  /** Whether it publishes only while it is asked to lead; otherwise always. @default false */
  readonly standby?: boolean;
}

/** An actor that turns the frames of one venue into the tick stream. */
export interface IngestActor extends Actor {
  readonly venue: string;
  /** Whether it publishes: an actor that stands by follows the venue and keeps what came lately. */
  readonly leads: boolean;
  /** Whether the trades of all markets arrive. */
  readonly isConnected: boolean;
  /** Publishes, with what it kept, until the signal is aborted. */
  lead(signal: AbortSignal): Promise<void>;
  /** What became of the ticks of each shard that has a market of the venue. */
  readonly shards: readonly ShardAccount[];
  /** What it did so far, in all its lives; a copy. */
  account(): IngestAccount;
}

/**
 * The ingest actor of a venue.
 *
 * @throws {RangeError} if there is no market, or one of another venue
 * @example
 * ```ts
 * const actor = createIngestActor({ exchange, url, markets, shards: 8, publisher, log, latenessMs: 300_000 });
 * await actor.run(context); // until context.signal is aborted
 * ```
 */
export function createIngestActor(options: IngestOptions): IngestActor {
  const { exchange, markets } = options;
  if (markets.length === 0) throw new RangeError(`Cannot ingest venue "${exchange.venue}": no market`);
  for (const { id, venue } of markets) {
    if (venue !== exchange.venue) {
      throw new RangeError(`Cannot ingest market "${id}": the exchange is of venue "${exchange.venue}"`);
    }
  }
  const numbers = new Set(markets.map(({ id }) => shardOf(id, options.shards)));
  const shards = [...numbers].sort((a, b) => a - b).map((shard) => new ShardAccount(shard));
  const recent = new RecentTrades();
  const begin = () => new IngestLife(options, shards, recent);
  let life = begin();
  let leads = options.standby !== true;
  let past: IngestAccount | undefined;
  const account = () => (past === undefined ? life.account() : addAccounts(past, life.account()));
  return {
    name: `ingest-${exchange.venue}`,
    venue: exchange.venue,
    permissions: {
      net: [hostOf(options.url), ...(options.busHosts ?? [])],
      env: ["WS_NO_BUFFER_UTIL", "WS_NO_UTF_8_VALIDATE"],
    },
    stallMs: STALL_MS,
    async run(context) {
      past = account();
      life = begin();
      if (leads) life.lead();
      await life.run(context);
    },
    get leads() {
      return leads;
    },
    get isConnected() {
      return life.isConnected;
    },
    async lead(signal) {
      leads = true;
      life.lead();
      await aborted(signal);
      leads = false;
      life.follow();
    },
    shards,
    account,
  };
}

/** One run of the actor. */
class IngestLife {
  readonly #options: IngestOptions;
  readonly #shards: readonly ShardAccount[];
  readonly #recent: RecentTrades;
  readonly #gate: TradeGate;
  readonly #publisher: VenuePublisher;
  readonly #pressure: BackPressure;
  readonly #feeds: readonly WebSocketFeed[];
  readonly #invalid = new Tally();
  readonly #rejections: RejectionLog;
  readonly #abort = new AbortController();
  #receiveLagMs = 0;
  /** The episode of back-pressure that is under way, if any. */
  #episode: Promise<void> = Promise.resolve();

  constructor(options: IngestOptions, shards: readonly ShardAccount[], recent: RecentTrades) {
    this.#options = options;
    this.#shards = shards;
    this.#recent = recent;
    const { exchange, latenessMs, log, markets, maxPauseMs = 2000, publisher } = options;
    this.#rejections = new RejectionLog(log.child({ venue: exchange.venue }));
    this.#gate = new TradeGate({
      markets: markets.length,
      latenessMs,
      accept: (trade) => this.#accept(trade),
      reject: (reason, message, { market, receivedMs }) =>
        this.#rejections.note(reason, { message: `${message} (${markets[market]!.id})` }, receivedMs),
    });
    this.#publisher = new VenuePublisher({
      ...options,
      accounts: shards,
      recent,
      venue: exchange.venue,
      venueMs: () => this.#gate.newestMs,
      isPaused: () => this.#pressure.isPaused,
      published: () => this.#relieve(),
    });
    this.#pressure = new BackPressure({
      publisher,
      log,
      maxPauseMs,
      pause: () => {
        for (const feed of this.#feeds) feed.pause();
      },
      resume: () => {
        this.#publisher.flushWaiting();
        for (const feed of this.#feeds) feed.resume();
      },
      dropped: () => shards.reduce((sum, shard) => sum + shard.dropped.total, 0),
    });
    this.#feeds = this.#createFeeds();
  }

  get isConnected(): boolean {
    return this.#publisher.connectedMarkets === this.#options.markets.length;
  }

  lead(): void {
    this.#publisher.lead();
  }

  follow(): void {
    this.#publisher.follow();
  }

  async run({ signal, ready, beat }: ActorContext): Promise<void> {
    const stop = (): void => this.#abort.abort();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    const check = setInterval(() => {
      beat();
      this.#check();
    }, CHECK_MS);
    const feeds = this.#feeds.map((feed) => feed.run(this.#abort.signal));
    try {
      ready();
      await Promise.all(feeds);
    } finally {
      stop();
      await Promise.allSettled(feeds);
      clearInterval(check);
      signal.removeEventListener("abort", stop);
      // What still waits for a witness will get none.
      this.#gate.expire(Number.POSITIVE_INFINITY);
      await this.#episode;
      // Who stands by knows better whether the venue's trades still arrive.
      if (this.#options.standby) this.#publisher.flushWaiting();
      else this.#publisher.stop();
    }
  }

  account(): IngestAccount {
    const feeds = this.#feeds.map(({ account }) => account);
    const sum = (field: "frames" | "ignored" | "connections" | "rollovers" | "refusals"): number =>
      feeds.reduce((total, account) => total + account[field], 0);
    const ticks = (field: "collected" | "published" | "underWay" | "confirmed"): number =>
      this.#shards.reduce((total, shard) => total + shard[field], 0);
    return {
      venue: this.#options.exchange.venue,
      markets: this.#options.markets.length,
      connectedMarkets: this.#publisher.connectedMarkets,
      frames: sum("frames"),
      ignored: sum("ignored"),
      received: this.#invalid.total + this.#gate.offered,
      accepted: this.#gate.accepted,
      duplicates: this.#gate.duplicates,
      rejected: sumTallies([this.#invalid, this.#gate.rejections]),
      held: this.#gate.held,
      missing: this.#gate.missing,
      kept: this.#recent.size,
      passed: this.#recent.passed,
      collectedTicks: ticks("collected"),
      publishedTicks: ticks("published"),
      underWayTicks: ticks("underWay"),
      confirmedTicks: ticks("confirmed"),
      unconfirmedTicks: sumTallies(this.#shards.map(({ unconfirmed }) => unconfirmed)),
      droppedTicks: sumTallies(this.#shards.map(({ dropped }) => dropped)),
      connections: sum("connections"),
      rollovers: sum("rollovers"),
      connectionEnds: sumTallies(feeds.map(({ ends }) => ends)),
      refusedSubscriptions: sum("refusals"),
      pauses: this.#pressure.episodes,
      venueMs: this.#gate.newestMs,
      receiveLagMs: this.#receiveLagMs,
    };
  }

  #createFeeds(): WebSocketFeed[] {
    const { exchange, feed, log, markets, url } = this.#options;
    const reader = exchange.createReader(markets);
    const clock = new ReceiveClock();
    const feeds: WebSocketFeed[] = [];
    const size = exchange.limits.streamsPerConnection;
    for (let first = 0; first < markets.length; first += size) {
      const own = markets.slice(first, first + size);
      const feedOptions = {
        ...feed,
        exchange,
        baseUrl: url,
        reader,
        markets: own,
        firstMarket: first,
        clock,
        log,
      };
      feeds.push(
        new WebSocketFeed(feedOptions, {
          trade: (trade) => this.#gate.offer(trade),
          rejected: (reason, message, sample) => {
            this.#invalid.add(reason);
            this.#rejections.note(reason, { message, sample }, performance.timeOrigin + performance.now());
          },
          connected: (indexes) => this.#publisher.setConnected(indexes, true),
          disconnected: (indexes) => {
            if (!this.#abort.signal.aborted) this.#publisher.setConnected(indexes, false);
          },
        }),
      );
    }
    return feeds;
  }

  #accept(trade: Trade): void {
    this.#receiveLagMs = trade.receivedMs - trade.timeMs;
    this.#publisher.add(trade);
  }

  #check(): void {
    this.#gate.expire(performance.timeOrigin + performance.now());
    this.#publisher.beat();
    this.#relieve();
  }

  #relieve(): void {
    const episode = this.#pressure.check(this.#abort.signal);
    if (episode !== undefined) this.#episode = episode;
  }
}
