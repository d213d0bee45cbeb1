import type { Bus } from "../bus/connection.ts";
import type { Interval } from "../market/interval.ts";
import { shardOf } from "../market/shard.ts";
import type { CandleKey, PublishedCandle } from "../wire/candle_codec.ts";
import type { TickPlace } from "./market_snapshot.ts";
import { PublishedBefore } from "./published_before.ts";
import { type Published, readCandles } from "./read_candles.ts";

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
  /** Ticks up to there are in the snapshots, so far as these tell; undefined if they do not. */
  readonly after: TickPlace | undefined;
  /** Whether there is a snapshot of a market. */
  hasSnapshot(venue: string, market: string): boolean;
  readonly signal: AbortSignal;
}

/** What lives before this one left of a shard. */
export interface Heritage {
  /** What they published, by venue and market. */
  readonly venues: ReadonlyMap<string, ReadonlyMap<string, PublishedBefore>>;
  /** Ticks up to there need not be read again; undefined: all have to be. */
  readonly after: TickPlace | undefined;
}

/**
 * Reads what lives before published since the snapshots were taken, and since the oldest tick that this life will see:
 * of a market without a snapshot it knows only the end of some candles, which must not replace whole ones. Where the
 * ticks are gone too, the last candles tell where such a market goes on.
 */
export async function readPublished(bus: Bus, options: HeritageOptions): Promise<Heritage> {
  const { interval, shard, shards, hasSnapshot, signal } = options;
  const venues = new Map<string, Map<string, PublishedBefore>>();
  const isWanted = ({ venue, market }: CandleKey) => shardOf(`${venue}:${market}`, shards) === shard;
  const name = `kline-${shard}-heritage`;
  const oldestMs = await oldestTickMs(bus);
  const lasts: Published[] = [];
  const filter = `candles.*.*.${interval}`;
  for await (const last of readCandles(bus, { filter, name, sinceMs: "last", signal, isWanted })) {
    if (!hasSnapshot(last.candle.venue, last.candle.market)) lasts.push(last);
  }
  // One without a snapshot that was there before: the snapshots are not what they say.
  const after = lasts.some(({ storedMs }) => storedMs >= oldestMs) ? undefined : options.after;
  let sinceMs = Math.min(options.sinceMs, after?.storedMs ?? oldestMs);
  const latestMs = lasts.reduce((most, { storedMs }) => Math.max(most, storedMs), Number.NEGATIVE_INFINITY);
  for (const { candle, storedMs } of lasts) {
    if (storedMs < latestMs - MAX_SILENCE_MS) continue;
    note(venues, candle);
    // It may be a revision of one that is not the newest.
    sinceMs = Math.min(sinceMs, latestMs - (candle.endMs - candle.openMs));
  }
  if (sinceMs === Number.POSITIVE_INFINITY) return { venues, after };
  const since = { filter: "candles.>", name, sinceMs: sinceMs - MARGIN_MS, signal, isWanted };
  for await (const { candle } of readCandles(bus, since)) note(venues, candle);
  return { venues, after };
}

function note(venues: Map<string, Map<string, PublishedBefore>>, candle: PublishedCandle): void {
  const markets = venues.get(candle.venue) ?? new Map<string, PublishedBefore>();
  venues.set(candle.venue, markets);
  const before = markets.get(candle.market) ?? new PublishedBefore();
  markets.set(candle.market, before);
  before.note(candle);
}

/** When the oldest message of the tick stream was stored, ms by the server's clock; Infinity if there is none. */
async function oldestTickMs(bus: Bus): Promise<number> {
  const { state } = await bus.streams.streams.info("TICKS");
  return state.messages === 0 ? Number.POSITIVE_INFINITY : Date.parse(state.first_ts);
}
