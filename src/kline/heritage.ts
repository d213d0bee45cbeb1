import type { Bus } from "../bus/connection.ts";
import { readBack } from "../bus/stream_reader.ts";
import { parseCandleSubject } from "../bus/subject.ts";
import { shardOf } from "../market/shard.ts";
import { decodeCandle } from "../wire/candle_codec.ts";
import { BadMessageError } from "../wire/tick_message.ts";
import { PublishedBefore } from "./published_before.ts";

/** A candle may be published this long before the first tick that the stream still has, ms. */
const MARGIN_MS = 3_000;

export interface HeritageOptions {
  readonly shard: number;
  readonly shards: number;
  /** When the oldest snapshot was taken, ms by the server's clock; Infinity if there is none. */
  readonly sinceMs: number;
  readonly signal: AbortSignal;
}

/** What was published of a shard by lives before this one: by venue and market. */
export type Heritage = ReadonlyMap<string, ReadonlyMap<string, PublishedBefore>>;

/**
 * Reads what lives before published since the snapshots were taken, and since the oldest tick that this life will see:
 * of a market without a snapshot it knows only the end of some candles, which must not replace whole ones.
 */
export async function readPublished(bus: Bus, options: HeritageOptions): Promise<Heritage> {
  const { shard, shards, signal } = options;
  const sinceMs = Math.min(options.sinceMs, await oldestTickMs(bus));
  const venues = new Map<string, Map<string, PublishedBefore>>();
  if (sinceMs === Number.POSITIVE_INFINITY) return venues;
  const messages = readBack(bus, {
    stream: "CANDLES",
    filter: "candles.>",
    name: `kline-${shard}-heritage`,
    sinceMs: sinceMs - MARGIN_MS,
    signal,
  });
  for await (const { subject, data } of messages) {
    try {
      const key = parseCandleSubject(subject);
      if (shardOf(`${key.venue}:${key.market}`, shards) !== shard) continue;
      const markets = venues.get(key.venue) ?? new Map<string, PublishedBefore>();
      venues.set(key.venue, markets);
      const before = markets.get(key.market) ?? new PublishedBefore();
      markets.set(key.market, before);
      before.note(decodeCandle(key, data));
    } catch (error) {
      // Whoever reads the stream for its own sake counts and reports it.
      if (!(error instanceof BadMessageError || error instanceof SyntaxError)) throw error;
    }
  }
  return venues;
}

/** When the oldest message of the tick stream was stored, ms by the server's clock; Infinity if there is none. */
async function oldestTickMs(bus: Bus): Promise<number> {
  const { state } = await bus.streams.streams.info("TICKS");
  return state.messages === 0 ? Number.POSITIVE_INFINITY : Date.parse(state.first_ts);
}
