import { z } from "zod";
import { CandleState } from "./candle_state.ts";
import { ExactSum } from "./exact_sum.ts";

/**
 * The candles of a market as a snapshot keeps them: plain arrays and numbers, small and fit for msgpack. Everything is
 * checked when it comes back, for it was on the bus.
 */

const finite = z.number();
const time = z.int();
const count = z.int().min(0);
/** NaN and infinities stand for what is not known yet. */
const anyTime = z.custom<number>((value) => typeof value === "number");
const sum = z.union([z.int().min(0), z.string().regex(/^\d{1,80}$/)]);
const decimals = z.int().min(0).max(22);

export const savedCandleSchema = z.tuple([
  time,
  time,
  finite,
  finite,
  finite,
  finite,
  count,
  count,
  time,
  count,
  time,
  sum,
  sum,
  sum,
  sum,
  decimals,
  decimals,
  count,
  z.boolean(),
  count,
  count,
  z.boolean(),
  count,
  z.boolean(),
  z.boolean(),
]);

export const savedSpanSchema = z.tuple([z.int(), time, z.int(), time]);

export const savedLevelSchema = z.object({
  cursorMs: time,
  startMs: time,
  keptFromMs: anyTime,
  earliestMs: anyTime,
  newestClosedMs: anyTime,
  candles: z.array(savedCandleSchema),
  flatRevisions: z.array(z.tuple([time, count])),
});

export const savedMarketSchema = z.object({
  priceDecimals: decimals,
  quantityDecimals: decimals,
  fillableMs: anyTime,
  doubtFromMs: anyTime,
  spans: z.array(savedSpanSchema).min(1),
  /** Of every interval, shortest first. */
  levels: z.array(savedLevelSchema).min(1),
});

export type SavedCandle = z.infer<typeof savedCandleSchema>;
export type SavedSpan = z.infer<typeof savedSpanSchema>;
export type SavedLevel = z.infer<typeof savedLevelSchema>;
export type SavedMarket = z.infer<typeof savedMarketSchema>;

export function saveCandle(state: CandleState): SavedCandle {
  return [
    state.openMs,
    state.endMs,
    state.open,
    state.high,
    state.low,
    state.close,
    state.trades,
    state.firstId,
    state.firstMs,
    state.lastId,
    state.lastMs,
    state.volume.save(),
    state.buyVolume.save(),
    state.quoteVolume.save(),
    state.buyQuoteVolume.save(),
    state.priceDecimals,
    state.quantityDecimals,
    state.lostTrades,
    state.tainted,
    state.late,
    state.revision,
    state.published,
    state.publishedMissing,
    state.publishedComplete,
    state.amended,
  ];
}

export function loadCandle(saved: SavedCandle): CandleState {
  const [openMs, endMs, open, high, low, close, trades, firstId, firstMs, lastId, lastMs, ...rest] = saved;
  const [volume, buyVolume, quoteVolume, buyQuoteVolume, priceDecimals, quantityDecimals, ...verdict] = rest;
  const [lostTrades, tainted, late, revision, published, publishedMissing, publishedComplete, amended] =
    verdict;
  const state = new CandleState(openMs, endMs, { priceDecimals, quantityDecimals });
  return Object.assign(state, {
    open,
    high,
    low,
    close,
    trades,
    firstId,
    firstMs,
    lastId,
    lastMs,
    volume: ExactSum.load(volume),
    buyVolume: ExactSum.load(buyVolume),
    quoteVolume: ExactSum.load(quoteVolume),
    buyQuoteVolume: ExactSum.load(buyQuoteVolume),
    lostTrades,
    tainted,
    late,
    revision,
    published,
    publishedMissing,
    publishedComplete,
    amended,
  });
}
