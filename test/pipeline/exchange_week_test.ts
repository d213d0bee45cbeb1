import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { BinanceServer } from "../../src/simulator/binance_server.ts";
import { readRecordings } from "../../src/simulator/recording.ts";
import { replay } from "../../src/simulator/replay.ts";
import { recordings, type StoredCandle, startPipeline, until } from "./harness.ts";

const week = recordings("ada-2019-06", /^ADAUSDT-.*\.csv\.gz$/);
const klines = recordings("ada-2019-06", /^binance_klines_1h\.csv$/);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const FIRST_MS = Date.UTC(2019, 5, 3);
const END_MS = Date.UTC(2019, 5, 10);
const FLAT_HOUR_MS = Date.UTC(2019, 5, 7, 21);

interface Trade {
  readonly id: number;
  readonly price: number;
  readonly quantity: number;
  readonly timeMs: number;
}

async function recordedTrades(): Promise<Trade[]> {
  const trades: Trade[] = [];
  for await (const { event } of readRecordings(week.paths)) {
    const { t, p, q, T } = JSON.parse(event) as { t: number; p: string; q: string; T: number };
    trades.push({ id: t, price: Number(p), quantity: Number(q), timeMs: T });
  }
  return trades;
}

/** Replays the week as fast as it goes and returns the stored candles of some intervals. */
async function replayWeek(
  t: TestContext,
  intervals: string,
  timeZone: string,
): Promise<Map<string, StoredCandle[]>> {
  const server = await BinanceServer.start();
  t.after(() => server.stop());
  const pipeline = await startPipeline(t, {
    MARKETS: "binance:ADA-USDT",
    BINANCE_WS_URL: server.url,
    INTERVALS: intervals,
    TIMEZONE: timeZone,
    PERSIST_TICKS: "false",
  });
  const report = await replay(server, readRecordings(week.paths), {
    speed: 0,
    awaited: ["adausdt@trade"],
    signal: new AbortController().signal,
  });
  await until("all trades are in candles", () => pipeline.status().inCandles >= report.trades, 60_000);
  // The last hour ends by the venue's clock, some seconds after the last trade.
  const lastHourMs = END_MS - HOUR_MS;
  const stored = async () => (await pipeline.candles("1h")).some(({ openMs }) => openMs === lastHourMs);
  await until("the last hour is stored", stored, 90_000);
  const candles = new Map<string, StoredCandle[]>();
  for (const interval of intervals.split(",")) candles.set(interval, await pipeline.candles(interval));
  const status = await pipeline.stop();
  assert.equal(status.inCandles, report.trades);
  assert.equal(status.lost, 0);
  assert.equal(status.rejected, 0);
  return candles;
}

/** What the candle of `[openMs, endMs)` must be, summed up here from the trades. */
function checkRollUp(candle: StoredCandle, trades: readonly Trade[], endMs: number): void {
  const inside = trades
    .filter(({ timeMs }) => timeMs >= candle.openMs && timeMs < endMs)
    .sort((a, b) => a.timeMs - b.timeMs || a.id - b.id);
  const scaled = (value: number) => BigInt(Math.round(value * 1e8));
  const volume = inside.reduce((sum, { quantity }) => sum + scaled(quantity), 0n);
  const quote = inside.reduce((sum, { price, quantity }) => sum + scaled(price) * scaled(quantity), 0n);
  const prices = inside.map(({ price }) => price);
  assert.deepEqual(
    [candle.trades, candle.open, candle.high, candle.low, candle.close, candle.volume, candle.quote_volume],
    [
      inside.length,
      inside[0]!.price,
      prices.reduce((a, b) => Math.max(a, b)),
      prices.reduce((a, b) => Math.min(a, b)),
      inside.at(-1)!.price,
      fromUnits(volume, 8),
      fromUnits(quote, 16),
    ],
    `${candle.interval} ${new Date(candle.openMs).toISOString()}`,
  );
}

function fromUnits(units: bigint, decimals: number): number {
  const digits = units.toString().padStart(decimals + 1, "0");
  return Number(`${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`);
}

test("the pipeline makes of a recorded week the exchange's own candles", { skip: week.skip }, async (t) => {
  const candles = await replayWeek(t, "1m,1h,1d,1w", "UTC");
  const hours = new Map(candles.get("1h")!.map((candle) => [candle.openMs, candle]));
  const trades = await recordedTrades();
  let equal = 0;
  let lossy = 0;
  for (const line of readFileSync(klines.paths[0]!, "utf8").trim().split("\n").slice(1)) {
    const [unixMs, , , open, high, low, close, volume, quoteVolume, count] = line.split(",");
    const candle = hours.get(Number(unixMs));
    if (candle === undefined || Number(count) === 0) continue;
    const stored = [candle.open, candle.high, candle.low, candle.close, candle.volume, candle.quote_volume];
    if (candle.trades === Number(count)) {
      assert.deepEqual(stored, [open, high, low, close, volume, quoteVolume].map(Number), `hour ${unixMs}`);
      assert.equal(candle.missing, 0);
      equal++;
      continue;
    }
    lossy++;
    assert.equal(candle.complete, false, `hour ${unixMs} lacks trades`);
    const ids = trades
      .filter(({ timeMs }) => timeMs >= candle.openMs && timeMs < candle.openMs + HOUR_MS)
      .map(({ id }) => id);
    const span = Math.max(...ids) - Math.min(...ids) + 1;
    if (span === Number(count)) assert.equal(candle.trades + candle.missing, span, `hour ${unixMs}`);
  }
  assert.deepEqual({ equal, lossy }, { equal: 143, lossy: 24 });

  const flat = hours.get(FLAT_HOUR_MS)!;
  const before = hours.get(FLAT_HOUR_MS - HOUR_MS)!;
  assert.deepEqual(
    [flat.trades, flat.volume, flat.open, flat.high, flat.low, flat.close],
    [0, 0, before.close, before.close, before.close, before.close],
  );

  assert.equal(hours.size, 168);
  const days = candles.get("1d")!;
  assert.deepEqual(
    days.map(({ openMs }) => openMs),
    Array.from({ length: 7 }, (_, day) => FIRST_MS + day * DAY_MS),
  );
  for (const day of days) checkRollUp(day, trades, day.openMs + DAY_MS);
  const [monday, ...more] = candles.get("1w")!;
  assert.equal(more.length, 0);
  assert.equal(monday!.openMs, FIRST_MS);
  checkRollUp(monday!, trades, END_MS);
});

test("the pipeline aligns days to the configured time zone", { skip: week.skip }, async (t) => {
  const candles = await replayWeek(t, "1h,1d", "Asia/Shanghai");
  const trades = await recordedTrades();
  const days = candles.get("1d")!;
  const firstMs = FIRST_MS - 8 * HOUR_MS;
  assert.deepEqual(
    days.map(({ openMs }) => openMs),
    Array.from({ length: 7 }, (_, day) => firstMs + day * DAY_MS),
  );
  for (const day of days) checkRollUp(day, trades, day.openMs + DAY_MS);
});
