import assert from "node:assert/strict";
import type { Interval } from "../../src/market/interval.ts";
import { type ReferenceCandle, type ReferenceTrade, referenceCandles } from "../kline/reference.ts";
import type { Store, StoredCandle } from "./harness.ts";

/** Intervals of which candles are compared: those that need no calendar. */
export const INTERVAL_MS = { "1s": 1_000, "1m": 60_000 } as const;
const INTERVALS = Object.keys(INTERVAL_MS) as (keyof typeof INTERVAL_MS)[];

/** The candles that a set of trades makes, up to the last trade, by `market interval openMs`. */
export type ExpectedCandles = ReadonlyMap<string, ReferenceCandle>;

/** All candles that end before the last trade. */
export function expectedCandles(trades: readonly ReferenceTrade[]): ExpectedCandles {
  return referenceCandles(trades, {
    intervals: INTERVALS,
    fill: "flat",
    untilMs: trades.reduce((lastMs, { timeMs }) => Math.max(lastMs, timeMs), 0),
    boundaries(interval: Interval, timeMs: number) {
      const lengthMs = INTERVAL_MS[interval as keyof typeof INTERVAL_MS];
      const openMs = timeMs - (timeMs % lengthMs);
      return { openMs, endMs: openMs + lengthMs };
    },
  });
}

/** All stored candles, by `market interval openMs`. */
export async function storedCandles(store: Store): Promise<ReadonlyMap<string, StoredCandle>> {
  const candles = (await Promise.all(INTERVALS.map((interval) => store.candles(interval)))).flat();
  const byKey = new Map(
    candles.map((candle) => [`${candle.market} ${candle.interval} ${candle.openMs}`, candle]),
  );
  assert.equal(byKey.size, candles.length, "each candle is stored once");
  return byKey;
}

/** Whether all candles are stored, whatever they say. */
export async function areStored(store: Store, expected: ExpectedCandles): Promise<boolean> {
  // Before the workers have made the database, there is nothing to ask.
  const stored = await storedCandles(store).catch(() => new Map());
  return [...expected.keys()].every((key) => stored.has(key));
}

export interface CheckOptions {
  /** Whether a candle may have been closed by the clock in a pause of the trades, and amended after it. @default false */
  readonly pauses?: boolean;
}

/** Compares every field of every candle; those that end after the last trade are left out. */
export async function checkStored(
  store: Store,
  expected: ExpectedCandles,
  { pauses = false }: CheckOptions = {},
): Promise<void> {
  const stored = await storedCandles(store);
  for (const [key, reference] of expected) {
    const { venue: _, time: __, openMs: ___, ...candle } = stored.get(key) as StoredCandle & Row;
    const { late, revision } = pauses ? candle : { late: 0, revision: 0 };
    assert.deepEqual(candle, { ...fieldsOf(reference), late, revision }, key);
  }
  const firstMs = [...expected.values()].reduce((least, { openMs }) => Math.min(least, openMs), Infinity);
  const endMs = [...expected.values()].reduce((most, candle) => Math.max(most, candle.endMs), 0);
  for (const [key, { openMs, interval }] of stored) {
    if (expected.has(key)) continue;
    const candleEndMs = openMs + INTERVAL_MS[interval as keyof typeof INTERVAL_MS];
    assert.ok(openMs >= firstMs && candleEndMs > endMs, `${key} is of no trade`);
  }
}

interface Row {
  readonly venue: string;
  readonly time: Date;
}

/** What InfluxDB must hold of a candle, but for what depends on the time of arrival. */
export function fieldsOf(reference: ReferenceCandle): Omit<StoredCandle, "openMs" | "late" | "revision"> {
  return {
    market: reference.market,
    interval: reference.interval,
    open: Number(reference.open),
    high: Number(reference.high),
    low: Number(reference.low),
    close: Number(reference.close),
    volume: Number(reference.volume),
    quote_volume: Number(reference.quoteVolume),
    buy_volume: Number(reference.buyVolume),
    buy_quote_volume: Number(reference.buyQuoteVolume),
    trades: reference.trades,
    first_id: reference.firstId,
    last_id: reference.lastId,
    missing: reference.missing,
    complete: reference.complete,
  };
}
