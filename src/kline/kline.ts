import type { Actor, ActorContext, Permissions } from "../actor/actor.ts";
import type { CandlePublisher } from "../bus/candle_publisher.ts";
import type { Bus } from "../bus/connection.ts";
import type { LivePublisher } from "../bus/live_publisher.ts";
import type { ReadLife } from "../bus/sequence_ledger.ts";
import { registerService } from "../bus/service.ts";
import { readStream } from "../bus/stream_reader.ts";
import type { Streams } from "../bus/streams.ts";
import { tickFilter, venueOf } from "../bus/subject.ts";
import type { Lease } from "../lease/lease.ts";
import { LagHistogram } from "../observe/lag_histogram.ts";
import type { Logger } from "../observe/log.ts";
import { Tally } from "../observe/tally.ts";
import { BadMessageError, type TickMessage } from "../wire/tick_message.ts";
import { readPublished } from "./heritage.ts";
import { KlineLife } from "./kline_life.ts";
import type { CandleRules } from "./market_candles.ts";
import type { TickPlace } from "./market_snapshot.ts";
import { Upkeep } from "./upkeep.ts";

export interface KlineOptions {
  readonly shard: number;
  readonly shards: number;
  readonly rules: CandleRules;
  /** Batches older than this are skipped and counted, ms; 0: none. */
  readonly tickMaxLagMs: number;
  readonly consumerExpiryMs: number;
  /** Each market's candles are saved this often, ms. */
  readonly snapshotIntervalMs: number;
  readonly bus: Bus;
  readonly streams: Streams;
  readonly candles: CandlePublisher;
  readonly live: LivePublisher;
  readonly permissions: Permissions;
  readonly log: Logger;
}

/** The right to make a shard's candles; see `Lease`. */
export type ShardLease = Pick<Lease, "token" | "isHeld">;

/** That of a fixed owner. */
const OWN: ShardLease = { token: 0, isHeld: () => true };

/** Makes candles of the ticks of one shard. */
export class KlineActor implements Actor {
  readonly name: string;
  readonly shard: number;
  readonly permissions: Permissions;
  /**
   * Ticks by what became of them, see `Outcome`; `resumed` if a snapshot had them, `skipped` if they were older than
   * `TICK_MAX_LAG`, `repeated` if they were in a message that had come before.
   */
  readonly ticks = new Tally();
  /** Messages that could not be read, by reason. */
  readonly badMessages = new Tally();
  readonly readerRestarts = new Tally();
  /** Snapshots by what became of them, see `Snapshotter`. */
  readonly snapshots = new Tally();
  /** Candles that a trade came too late for, and that were forgotten, by what became of them, see `Recaller`. */
  readonly recalls = new Tally();
  /** From the receipt of a trade's frame until it is in its candle. */
  readonly lag = new LagHistogram();
  readonly #options: KlineOptions;
  #messages = 0;
  #read = 0;
  #lostTicks = 0;
  #lostBatches = 0;
  #unknownBatches = 0;
  #duplicateBatches = 0;
  #closed = 0;
  #revised = 0;
  #life: KlineLife | undefined;

  constructor(options: KlineOptions) {
    this.name = `kline-${options.shard}`;
    this.shard = options.shard;
    this.permissions = options.permissions;
    this.#options = options;
  }

  /** The actor's account, as `make inspect` shows it. */
  status() {
    return {
      actor: this.name,
      messages: this.#messages,
      read: this.#read,
      lostTicks: this.#lostTicks,
      lostBatches: this.#lostBatches,
      unknownBatches: this.#unknownBatches,
      duplicateBatches: this.#duplicateBatches,
      badMessages: Object.fromEntries(this.badMessages.entries()),
      ticks: Object.fromEntries(this.ticks.entries()),
      candlesClosed: this.#closed,
      candlesRevised: this.#revised,
      recalls: Object.fromEntries(this.recalls.entries()),
      snapshots: Object.fromEntries(this.snapshots.entries()),
      lagP50Ms: this.lag.quantileMs(0.5),
      lagP99Ms: this.lag.quantileMs(0.99),
    };
  }

  get isRunning(): boolean {
    return this.#life !== undefined;
  }

  /** By venue the publishers' lives in ticks, as far as they were read; none while the actor does not run. */
  *lives(): Iterable<readonly [venue: string, Iterable<ReadLife>]> {
    for (const [venue, candles] of this.#life?.venues ?? []) yield [venue, candles.lives()];
  }

  /** The same actor, for as long as a lease lasts. */
  under(lease: ShardLease): Actor {
    const { name, permissions } = this;
    return { name, permissions, run: (context) => this.run(context, lease) };
  }

  async run({ signal, ready }: ActorContext, lease: ShardLease = OWN): Promise<void> {
    const { bus, streams, shard, consumerExpiryMs } = this.#options;
    const needed = ["TICKS", "CANDLES", "LIVE", "SNAPSHOTS"] as const;
    await Promise.all(needed.map((name) => streams.ensure(name)));
    const unregister = await registerService(bus, {
      name: "tickline-kline",
      description: "Makes candles of ticks",
      metadata: { shard: String(shard) },
      status: () => this.status(),
    });
    const life = new KlineLife(this.#options, signal, {
      lease,
      outcomes: this.ticks,
      onPublished: (candle) => {
        if (candle.revision === 0) this.#closed++;
        else this.#revised++;
      },
    });
    this.#life = life;
    const { name, snapshots, recalls } = this;
    const upkeep = new Upkeep(this.#options, { actor: name, life, lease, snapshots, recalls });
    // Not AbortSignal.any: on Node 20 its result may be collected before it fires.
    const stop = new AbortController();
    const onStop = () => stop.abort();
    signal.addEventListener("abort", onStop, { once: true });
    try {
      const after = await this.#resume(life, upkeep, signal);
      ready();
      // What the stream held at the beginning is taken as a whole: a candle that a life before knew better is not
      // published half-way.
      let behind = 0;
      const messages = readStream(bus, streams, {
        stream: "TICKS",
        filter: tickFilter(shard),
        name,
        expiryMs: consumerExpiryMs,
        restarts: this.readerRestarts,
        after,
        onBegin: ({ messages, created }) => {
          behind = messages;
          life.created = created;
        },
        signal: stop.signal,
      });
      for await (const { subject, data, reply } of messages) {
        this.#messages++;
        life.reply = reply;
        this.#onMessage(life, venueOf(subject), data);
        if (--behind > 0) continue;
        // Before, a snapshot would be younger than what is in it, and worse than the one that this life goes on from.
        upkeep.start(stop);
        await life.publishDue();
      }
      stop.abort();
      await upkeep.ended();
      await upkeep.finish();
    } finally {
      life.end();
      if (this.#life === life) this.#life = undefined;
      signal.removeEventListener("abort", onStop);
      stop.abort();
      await upkeep.ended();
      await unregister();
    }
  }

  /** Goes on where a life before ended, if it left anything; from where on ticks have to be read. */
  async #resume(life: KlineLife, upkeep: Upkeep, signal: AbortSignal): Promise<TickPlace | undefined> {
    const { bus, shard, shards, rules, log } = this.#options;
    const loaded = await upkeep.load();
    const { venues, after } = await readPublished(bus, {
      shard,
      shards,
      interval: rules.levels[0]!.interval,
      sinceMs: loaded.sinceMs,
      after: loaded.after,
      hasSnapshot: (venue, market) => loaded.venues.get(venue)?.has(market) ?? false,
      signal,
    });
    life.resume(loaded, venues);
    const markets = [...loaded.venues.values()].reduce((sum, { size }) => sum + size, 0);
    if (markets > 0) log.info({ actor: this.name, markets }, "going on from snapshots");
    return after;
  }

  #onMessage(life: KlineLife, venue: string, data: Uint8Array): void {
    let message: TickMessage;
    try {
      message = life.decoder.decode(data);
    } catch (error) {
      if (!(error instanceof BadMessageError)) throw error;
      if (this.badMessages.get(error.reason) === 0) {
        this.#options.log.warn({ err: error, venue, actor: this.name }, "tick message rejected");
      }
      this.badMessages.add(error.reason);
      life.doubt(venue);
      return;
    }
    this.#read += message.ticks.length;
    const { fate, missed, missedTicks } = life.take(venue, message);
    if (missed > 0) {
      this.#lostBatches += missed;
      this.#lostTicks += missedTicks ?? 0;
      if (missedTicks === undefined) this.#unknownBatches += missed;
      this.#options.log.warn({ venue, actor: this.name, missed, missedTicks }, "tick batches are missing");
    }
    if (fate === "duplicate") {
      this.#duplicateBatches++;
      if (message.ticks.length > 0) this.ticks.add("repeated", message.ticks.length);
    } else if (fate === "applied" && message.ticks.length > 0) this.#noteLag(message);
  }

  #noteLag({ ticks }: TickMessage): void {
    const nowMs = performance.timeOrigin + performance.now();
    const oldestMs = nowMs - ticks.receivedMs[0]!;
    this.lag.add(oldestMs, ticks.length);
  }
}
