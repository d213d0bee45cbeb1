import { performance } from "node:perf_hooks";
import { tickSubject } from "../bus/subject.ts";
import type { Trade } from "../exchange/exchange.ts";
import type { Market } from "../market/market.ts";
import { shardOf } from "../market/shard.ts";
import { createEpoch } from "../wire/epoch.ts";
import type { RecentTrades } from "./recent_trades.ts";
import type { ShardAccount } from "./shard_account.ts";
import { type PublishContext, ShardPublisher } from "./shard_publisher.ts";
import type { TickPublisher } from "./tick_publisher.ts";

/** A shard that has nothing to say says so this often, ms. */
const HEARTBEAT_MS = 250;

export interface VenuePublisherOptions {
  readonly venue: string;
  readonly markets: readonly Market[];
  readonly shards: number;
  readonly publisher: TickPublisher;
  /** Of each shard that has a market. */
  readonly accounts: readonly ShardAccount[];
  /** What is kept while another process publishes. */
  readonly recent: RecentTrades;
  /** The latest trade time accepted on any market, ms; 0 before the first. */
  venueMs(): number;
  /** Whether to keep ticks back for now. */
  isPaused(): boolean;
  /** Called after each turn's messages. */
  published(): void;
}

/**
 * The ticks of a venue on their way to the stream: all shards that got ticks in one turn of the event loop publish
 * at its end, so that no message claims a venue time whose ticks are still here. Between its terms another process
 * publishes, and this one keeps what came lately.
 */
export class VenuePublisher {
  readonly #options: VenuePublisherOptions;
  readonly #context: PublishContext;
  readonly #shards: ShardPublisher[] = [];
  /** By index of the market. */
  readonly #shardOf: ShardPublisher[];
  readonly #down = new Set<string>();
  #scheduled = false;
  #leads = false;
  /** The latest trade time until the trades that were kept are published, ms; absent once they are. */
  #keptMs: number | undefined;

  /** It keeps what comes until {@link lead} is called. */
  constructor(options: VenuePublisherOptions) {
    this.#options = options;
    const { accounts, markets, publisher, shards, venue, venueMs } = options;
    const nowMs = (): number => performance.timeOrigin + performance.now();
    const context = { publisher, epoch: 0, venueMs: () => this.#keptMs ?? venueMs(), nowMs };
    this.#context = context;
    const byShard = new Map<number, ShardPublisher>();
    for (const account of accounts) {
      const { shard } = account;
      const own = markets.filter(({ id }) => shardOf(id, shards) === shard);
      const subject = tickSubject(shard, venue);
      byShard.set(shard, new ShardPublisher(account, { subject, markets: own, context }));
    }
    this.#shards.push(...byShard.values());
    this.#shardOf = markets.map(({ id }) => byShard.get(shardOf(id, shards))!);
    for (const { name } of markets) this.#down.add(name);
  }

  get connectedMarkets(): number {
    return this.#options.markets.length - this.#down.size;
  }

  /** Begins a term with what was kept: what the process before had in hand at its end is in there. */
  lead(): void {
    this.#context.epoch = createEpoch();
    for (const shard of this.#shards) shard.begin((name) => this.#down.has(name));
    this.#leads = true;
    this.#keptMs = 0;
    for (const trade of this.#options.recent.take()) {
      this.#keptMs = Math.max(this.#keptMs, trade.timeMs);
      this.#collect(trade);
    }
    this.flushWaiting();
    this.#keptMs = undefined;
    this.beat();
  }

  /** Ends a term: publishes what waits, and nothing more. */
  follow(): void {
    this.flushWaiting();
    this.#leads = false;
  }

  /** Adds a tick to the turn's message of its shard, or keeps it while another process publishes. */
  add(trade: Trade): void {
    if (this.#leads) this.#collect(trade);
    else this.#options.recent.add(trade);
  }

  #collect(trade: Trade): void {
    const shard = this.#shardOf[trade.market]!;
    if (shard.isFull) shard.flush();
    shard.add(this.#options.markets[trade.market]!.name, trade);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#endTurn);
  }

  /** Notes that markets were connected or disconnected, and tells the stream at once. */
  setConnected(markets: readonly number[], isConnected: boolean): void {
    const changed = new Set<ShardPublisher>();
    for (const index of markets) {
      const { name } = this.#options.markets[index]!;
      if (isConnected) this.#down.delete(name);
      else this.#down.add(name);
      changed.add(this.#shardOf[index]!);
    }
    if (!this.#leads) return;
    for (const shard of changed) shard.setDown((name) => this.#down.has(name));
  }

  /** Publishes what waits, and says of every market that it is not connected. */
  stop(): void {
    for (const { name } of this.#options.markets) this.#down.add(name);
    for (const shard of this.#shards) shard.setDown(() => true);
  }

  /** Publishes what was kept back. */
  flushWaiting(): void {
    for (const shard of this.#shards) if (!shard.isEmpty) shard.flush();
  }

  /**
   * Says of idle shards that they are idle. Not while there is no room: a heartbeat that is lost on the way would
   * cast doubt on ticks that are not.
   */
  beat(): void {
    if (!this.#leads || this.#options.publisher.congested) return;
    const idleSinceMs = performance.timeOrigin + performance.now() - HEARTBEAT_MS;
    for (const shard of this.#shards) if (shard.isEmpty && shard.sentMs <= idleSinceMs) shard.beat();
  }

  readonly #endTurn = (): void => {
    this.#scheduled = false;
    if (!this.#options.isPaused()) this.flushWaiting();
    this.#options.published();
  };
}
