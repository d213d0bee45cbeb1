import type { Bus } from "../bus/connection.ts";
import { type BusMessage, readBack } from "../bus/stream_reader.ts";
import { storedMsOf } from "../bus/stream_sequence.ts";
import { parseCandleSubject } from "../bus/subject.ts";
import type { Interval } from "../market/interval.ts";
import { shardOf } from "../market/shard.ts";
import { decodeCandle, type PublishedCandle } from "../wire/candle_codec.ts";
import { BadMessageError } from "../wire/tick_message.ts";
import { PublishedBefore } from "./published_before.ts";

/** A candle may be published this long before the first tick that the stream still has, ms. */
const MARGIN_MS = 3_000;
/** Markets of which nothing was published for this long before the latest are given up, ms. */
const MAX_SILENCE_MS = 3_600_000;

export interface HeritageOptions {
  readonly shard: number;
  readonly shards: number;
  /** The shortest one. */
  readonly interval: Interval;
  /** When the oldest snapshot was taken, ms by the server's clock; Infinity if there is none. */
  readonly sinceMs: number;
  /** Whether there is a snapshot of a market. */
  hasSnapshot(venue: string, market: string): boolean;
  readonly signal: AbortSignal;
}

/** What was published of a shard by lives before this one: by venue and market. */
export type Heritage = ReadonlyMap<string, ReadonlyMap<string, PublishedBefore>>;

/**
 * Reads what lives before published since the snapshots were taken, and since the oldest tick that this life will see:
 * of a market without a snapshot it knows only the end of some candles, which must not replace whole ones. Where the
 * ticks are gone too, the last candles tell where such a market goes on.
 */
export async function readPublished(bus: Bus, options: HeritageOptions): Promise<Heritage> {
  const heritage = new HeritageOfShard(options);
  const { interval, shard, hasSnapshot, signal } = options;
  const name = `kline-${shard}-heritage`;
  let sinceMs = Math.min(options.sinceMs, await oldestTickMs(bus));
  const lasts: Published[] = [];
  const filter = `candles.*.*.${interval}`;
  for await (const message of readBack(bus, { stream: "CANDLES", filter, name, sinceMs: "last", signal })) {
    const published = heritage.decode(message);
    if (published !== undefined && !hasSnapshot(published.candle.venue, published.candle.market))
      lasts.push(published);
  }
  const latestMs = lasts.reduce((most, { storedMs }) => Math.max(most, storedMs), Number.NEGATIVE_INFINITY);
  for (const { candle, storedMs } of lasts) {
    if (storedMs < latestMs - MAX_SILENCE_MS) continue;
    heritage.note(candle);
    // It may be a revision of one that is not the newest.
    sinceMs = Math.min(sinceMs, latestMs - (candle.endMs - candle.openMs));
  }
  if (sinceMs === Number.POSITIVE_INFINITY) return heritage.venues;
  const since = {
    stream: "CANDLES",
    filter: "candles.>",
    name,
    sinceMs: sinceMs - MARGIN_MS,
    signal,
  } as const;
  for await (const message of readBack(bus, since)) {
    const published = heritage.decode(message);
    if (published !== undefined) heritage.note(published.candle);
  }
  return heritage.venues;
}

interface Published {
  readonly candle: PublishedCandle;
  /** When the server stored it, ms by its clock. */
  readonly storedMs: number;
}

class HeritageOfShard {
  readonly venues = new Map<string, Map<string, PublishedBefore>>();
  readonly #options: HeritageOptions;

  constructor(options: HeritageOptions) {
    this.#options = options;
  }

  /** The candle of a message; undefined if it is of another shard, or none. */
  decode({ subject, data, reply }: BusMessage): Published | undefined {
    const { shard, shards } = this.#options;
    try {
      const key = parseCandleSubject(subject);
      if (shardOf(`${key.venue}:${key.market}`, shards) !== shard) return undefined;
      return { candle: decodeCandle(key, data), storedMs: storedMsOf(reply) };
    } catch (error) {
      // Whoever reads the stream for its own sake counts and reports it.
      if (error instanceof BadMessageError || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  note(candle: PublishedCandle): void {
    const markets = this.venues.get(candle.venue) ?? new Map<string, PublishedBefore>();
    this.venues.set(candle.venue, markets);
    const before = markets.get(candle.market) ?? new PublishedBefore();
    markets.set(candle.market, before);
    before.note(candle);
  }
}

/** When the oldest message of the tick stream was stored, ms by the server's clock; Infinity if there is none. */
async function oldestTickMs(bus: Bus): Promise<number> {
  const { state } = await bus.streams.streams.info("TICKS");
  return state.messages === 0 ? Number.POSITIVE_INFINITY : Date.parse(state.first_ts);
}
