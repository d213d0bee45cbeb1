import { sequenceOf, storedMsOf } from "../bus/stream_sequence.ts";
import { candleSubject, liveSubject } from "../bus/subject.ts";
import type { Candle } from "../market/candle.ts";
import type { Tally } from "../observe/tally.ts";
import { encodeCandle } from "../wire/candle_codec.ts";
import { TickDecoder } from "../wire/tick_decoder.ts";
import type { TickMessage } from "../wire/tick_message.ts";
import type { KlineOptions, ShardLease } from "./kline.ts";
import type { TickPlace } from "./market_snapshot.ts";
import type { PublishedBefore } from "./published_before.ts";
import type { LoadedSnapshots } from "./snapshotter.ts";
import { type MessageReport, VenueCandles } from "./venue_candles.ts";

const LIVE_INTERVAL_MS = 100;
/** Most markets whose open candles go out per {@link LIVE_INTERVAL_MS}: bounds what the live view costs. */
const LIVE_MARKETS = 200;
/** Candles that are published before other actors of the process get their turn. */
const PUBLISH_CHUNK = 256;
/** A timer that comes this late, ms, waited for a busy event loop: messages that came meanwhile go first. */
const LATE_TIMER_MS = 20;
const MAX_TIMER_MS = 1_000;

export interface KlineLifeOptions {
  readonly lease: ShardLease;
  /** Counts every tick by what became of it. */
  readonly outcomes: Tally;
  readonly onPublished: (candle: Candle) => void;
}

/** Everything that one life of a kline actor holds; a restart begins with a fresh one. */
export class KlineLife {
  readonly decoder: TickDecoder;
  /** By venue. */
  readonly venues = new Map<string, VenueCandles>();
  /** When the tick stream was made that is read, and what the last message that was taken says of its place in it. */
  created = "";
  reply: string | undefined;
  readonly #options: KlineOptions;
  readonly #signal: AbortSignal;
  readonly #lease: ShardLease;
  readonly #outcomes: Tally;
  readonly #onPublished: (candle: Candle) => void;
  readonly #liveTimer: NodeJS.Timeout;
  #closeTimer: NodeJS.Timeout | undefined;
  #publishing: Promise<void> | undefined;

  constructor(
    options: KlineOptions,
    signal: AbortSignal,
    { lease, outcomes, onPublished }: KlineLifeOptions,
  ) {
    this.#lease = lease;
    this.decoder = new TickDecoder({ maxAgeMs: options.tickMaxLagMs });
    this.#options = options;
    this.#signal = signal;
    this.#outcomes = outcomes;
    this.#onPublished = onPublished;
    this.#liveTimer = setInterval(() => this.#publishLive(), LIVE_INTERVAL_MS);
  }

  /** Goes on where another life was when it was saved; nothing was taken before. */
  resume(
    { venues }: LoadedSnapshots,
    publishedBefore: ReadonlyMap<string, ReadonlyMap<string, PublishedBefore>>,
  ): void {
    const nowMs = performance.now();
    for (const [venue, snapshots] of venues) this.#venue(venue).resume(snapshots, nowMs);
    for (const [venue, markets] of publishedBefore) {
      for (const [market, before] of markets) this.#venue(venue).engine.respect(market, before);
    }
  }

  /** How far the tick stream is read; undefined before its first message. */
  readonly place = (): TickPlace | undefined => {
    const { created, reply } = this;
    if (reply === undefined) return undefined;
    return { created, seq: sequenceOf(reply), storedMs: storedMsOf(reply) };
  };

  take(venue: string, message: TickMessage): MessageReport {
    return this.#venue(venue).take(message, performance.now());
  }

  /** Takes note of a message that cannot be read. */
  doubt(venue: string): void {
    this.#venue(venue).engine.doubt();
  }

  #venue(name: string): VenueCandles {
    let venue = this.venues.get(name);
    if (venue === undefined) {
      venue = new VenueCandles(name, this.#options.rules, this.#outcomes);
      this.venues.set(name, venue);
    }
    return venue;
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
    for (const venue of this.venues.values()) {
      while (!this.#signal.aborted && this.#lease.isHeld()) {
        const limit = Math.min(PUBLISH_CHUNK, candles.capacity);
        if (limit === 0) {
          await candles.room(this.#signal);
          continue;
        }
        const presentMs = venue.presentMs(performance.now());
        if (venue.engine.advance(presentMs, { limit, publish: this.publish }) < limit) break;
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }

  /** Publishes a closed candle; there must be room for it. */
  readonly publish = (candle: Candle): void => {
    this.#options.candles.publish(candleSubject(candle), encodeCandle(candle, this.#lease.token));
    this.#onPublished(candle);
  };

  /** Sets the timer for the next candle that closes without a trade telling so. */
  #schedule(): void {
    clearTimeout(this.#closeTimer);
    if (this.#signal.aborted) return;
    const nowMs = performance.now();
    let waitMs = MAX_TIMER_MS;
    for (const venue of this.venues.values()) {
      waitMs = Math.min(waitMs, venue.engine.nextCloseInMs(venue.presentMs(nowMs)));
    }
    const dueMs = nowMs + waitMs;
    this.#closeTimer = setTimeout(() => {
      if (performance.now() - dueMs < LATE_TIMER_MS) void this.publishDue();
      else setTimeout(() => void this.publishDue(), 1);
    }, Math.ceil(waitMs));
  }

  #publishLive(): void {
    const { live } = this.#options;
    if (!this.#lease.isHeld()) return;
    for (const { engine } of this.venues.values()) {
      engine.publishLive(LIVE_MARKETS, (candle) =>
        live.publish(liveSubject(candle), encodeCandle(candle, this.#lease.token)),
      );
    }
  }

  end(): void {
    clearTimeout(this.#closeTimer);
    clearInterval(this.#liveTimer);
  }
}
