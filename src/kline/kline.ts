import type { Actor, ActorContext, Permissions } from "../actor/actor.ts";
import type { CandlePublisher } from "../bus/candle_publisher.ts";
import type { Bus } from "../bus/connection.ts";
import type { LivePublisher } from "../bus/live_publisher.ts";
import { SequenceLedger } from "../bus/sequence_ledger.ts";
import { registerService } from "../bus/service.ts";
import { readStream } from "../bus/stream_reader.ts";
import type { Streams } from "../bus/streams.ts";
import { candleSubject, liveSubject, tickFilter, venueOf } from "../bus/subject.ts";
import type { Candle } from "../market/candle.ts";
import { LagHistogram } from "../observe/lag_histogram.ts";
import type { Logger } from "../observe/log.ts";
import { Tally } from "../observe/tally.ts";
import { encodeCandle } from "../wire/candle_codec.ts";
import { TickDecoder } from "../wire/tick_decoder.ts";
import { BadMessageError, type TickMessage } from "../wire/tick_message.ts";
import { CandleEngine } from "./candle_engine.ts";
import type { CandleRules } from "./market_candles.ts";

const LIVE_INTERVAL_MS = 100;
/** Most markets whose open candles go out per {@link LIVE_INTERVAL_MS}: bounds what the live view costs. */
const LIVE_MARKETS = 200;
/** Candles that are published before other actors of the process get their turn. */
const PUBLISH_CHUNK = 256;
/** A timer that comes this late, ms, waited for a busy event loop: messages that came meanwhile go first. */
const LATE_TIMER_MS = 20;
const MAX_TIMER_MS = 1_000;

export interface KlineOptions {
  readonly shard: number;
  readonly rules: CandleRules;
  /** Batches older than this are skipped and counted, ms; 0: none. */
  readonly tickMaxLagMs: number;
  readonly consumerExpiryMs: number;
  readonly bus: Bus;
  readonly streams: Streams;
  readonly candles: CandlePublisher;
  readonly live: LivePublisher;
  readonly permissions: Permissions;
  readonly log: Logger;
}

/** Makes candles of the ticks of one shard. */
export class KlineActor implements Actor {
  readonly name: string;
  readonly permissions: Permissions;
  /** Ticks by what became of them, see `Outcome`, and `skipped` for those older than `TICK_MAX_LAG`. */
  readonly ticks = new Tally();
  /** Messages that could not be read, by reason. */
  readonly badMessages = new Tally();
  readonly readerRestarts = new Tally();
  /** From the receipt of a trade's frame until it is in its candle. */
  readonly lag = new LagHistogram();
  readonly #options: KlineOptions;
  #messages = 0;
  #lostBatches = 0;
  #duplicateBatches = 0;
  #closed = 0;
  #revised = 0;

  constructor(options: KlineOptions) {
    this.name = `kline-${options.shard}`;
    this.permissions = options.permissions;
    this.#options = options;
  }

  /** The actor's account, as `make inspect` shows it. */
  status() {
    return {
      actor: this.name,
      messages: this.#messages,
      lostBatches: this.#lostBatches,
      duplicateBatches: this.#duplicateBatches,
      badMessages: Object.fromEntries(this.badMessages.entries()),
      ticks: Object.fromEntries(this.ticks.entries()),
      candlesClosed: this.#closed,
      candlesRevised: this.#revised,
      lagP50Ms: this.lag.quantileMs(0.5),
      lagP99Ms: this.lag.quantileMs(0.99),
    };
  }

  async run({ signal, ready }: ActorContext): Promise<void> {
    const { bus, streams, shard, consumerExpiryMs } = this.#options;
    await Promise.all([streams.ensure("TICKS"), streams.ensure("CANDLES"), streams.ensure("LIVE")]);
    const unregister = await registerService(bus, {
      name: "tickline-kline",
      description: "Makes candles of ticks",
      metadata: { shard: String(shard) },
      status: () => this.status(),
    });
    const life = new KlineLife(this.#options, signal, (candle) => {
      if (candle.revision === 0) this.#closed++;
      else this.#revised++;
    });
    ready();
    try {
      const messages = readStream(bus, streams, {
        stream: "TICKS",
        filter: tickFilter(shard),
        name: this.name,
        expiryMs: consumerExpiryMs,
        restarts: this.readerRestarts,
        signal,
      });
      for await (const { subject, data } of messages) {
        this.#messages++;
        this.#onMessage(life, venueOf(subject), data);
        await life.publishDue();
      }
    } finally {
      life.end();
      await unregister();
    }
  }

  #onMessage(life: KlineLife, venue: string, data: Uint8Array): void {
    const engine = life.engine(venue, this.ticks);
    let message: TickMessage;
    try {
      message = life.decoder.decode(data);
    } catch (error) {
      if (!(error instanceof BadMessageError)) throw error;
      if (this.badMessages.get(error.reason) === 0) {
        this.#options.log.warn({ err: error, venue, actor: this.name }, "tick message rejected");
      }
      this.badMessages.add(error.reason);
      engine.doubt();
      return;
    }
    const { ticks } = message;
    const news = life.ledger.observe(message.epoch, message.seq, message.sentMs);
    if (news.kind === "duplicate") {
      this.#duplicateBatches++;
      return;
    }
    if (news.kind !== "next") engine.doubt();
    if (news.kind !== "next" && news.missed > 0) {
      this.#lostBatches += news.missed;
      this.#options.log.warn({ venue, actor: this.name, missed: news.missed }, "tick batches are missing");
    }
    const { tickMaxLagMs } = this.#options;
    if (tickMaxLagMs > 0 && Date.now() - message.sentMs > tickMaxLagMs) {
      this.ticks.add("skipped", ticks.length);
      engine.doubt();
      return;
    }
    engine.apply(ticks, message, performance.now());
    if (ticks.length > 0) this.#noteLag(message);
  }

  #noteLag({ ticks }: TickMessage): void {
    const nowMs = performance.timeOrigin + performance.now();
    const oldestMs = nowMs - ticks.receivedMs[0]!;
    this.lag.add(oldestMs, ticks.length);
  }
}

/** Everything that one life of the actor holds; a restart begins with a fresh one. */
class KlineLife {
  readonly decoder = new TickDecoder();
  readonly ledger = new SequenceLedger();
  readonly #engines = new Map<string, CandleEngine>();
  readonly #options: KlineOptions;
  readonly #signal: AbortSignal;
  readonly #onPublished: (candle: Candle) => void;
  readonly #liveTimer: NodeJS.Timeout;
  #closeTimer: NodeJS.Timeout | undefined;
  #publishing: Promise<void> | undefined;

  constructor(options: KlineOptions, signal: AbortSignal, onPublished: (candle: Candle) => void) {
    this.#options = options;
    this.#signal = signal;
    this.#onPublished = onPublished;
    this.#liveTimer = setInterval(() => this.#publishLive(), LIVE_INTERVAL_MS);
  }

  engine(venue: string, outcomes: Tally): CandleEngine {
    let engine = this.#engines.get(venue);
    if (engine === undefined) {
      engine = new CandleEngine(venue, this.#options.rules, outcomes);
      this.#engines.set(venue, engine);
    }
    return engine;
  }

  /** Publishes the closed candles that are due, as fast as the stream takes them. */
  publishDue(): Promise<void> {
    this.#publishing ??= this.#publishDue().finally(() => {
      this.#publishing = undefined;
      this.#schedule();
    });
    return this.#publishing;
  }

  async #publishDue(): Promise<void> {
    const { candles } = this.#options;
    for (const engine of this.#engines.values()) {
      while (!this.#signal.aborted) {
        const limit = Math.min(PUBLISH_CHUNK, candles.capacity);
        if (limit === 0) {
          await candles.room(this.#signal);
          continue;
        }
        if (engine.advance(performance.now(), { limit, publish: this.#publish }) < limit) break;
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }

  readonly #publish = (candle: Candle): void => {
    this.#options.candles.publish(candleSubject(candle), encodeCandle(candle));
    this.#onPublished(candle);
  };

  /** Sets the timer for the next candle that closes without a trade telling so. */
  #schedule(): void {
    clearTimeout(this.#closeTimer);
    if (this.#signal.aborted) return;
    const nowMs = performance.now();
    let waitMs = MAX_TIMER_MS;
    for (const engine of this.#engines.values()) waitMs = Math.min(waitMs, engine.nextCloseInMs(nowMs));
    const dueMs = nowMs + waitMs;
    this.#closeTimer = setTimeout(() => {
      if (performance.now() - dueMs < LATE_TIMER_MS) void this.publishDue();
      else setTimeout(() => void this.publishDue(), 1);
    }, Math.ceil(waitMs));
  }

  #publishLive(): void {
    const { live } = this.#options;
    for (const engine of this.#engines.values()) {
      engine.publishLive(LIVE_MARKETS, (candle) => live.publish(liveSubject(candle), encodeCandle(candle)));
    }
  }

  end(): void {
    clearTimeout(this.#closeTimer);
    clearInterval(this.#liveTimer);
  }
}
