import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { BinanceServer } from "../../src/simulator/binance_server.ts";
import { tradeFrame } from "../ingest/hostile_frames.ts";
import { type Pipeline, type StoredCandle, startPipeline, until } from "./harness.ts";

const TRADE = { symbol: "BTCUSDT", id: 501, timeMs: 1_723_161_255_342 };
const OPEN_MS = 1_723_161_255_000;
const SECOND_MS = 1_000;
const DEADLINE_MS = 20_000;

/** A pipeline that gets one trade, and nothing more of any market. */
async function startQuietPipeline(t: TestContext, fill: "flat" | "none") {
  const venue = await BinanceServer.start();
  t.after(() => venue.stop());
  const pipeline = await startPipeline(t, {
    MARKETS: "binance:BTC-USDT,binance:ETH-USDT",
    BINANCE_WS_URL: venue.url,
    INTERVALS: "1s",
    FILL: fill,
    // The trade is older than the default.
    TICK_RETENTION: "0",
  });
  await until("it has subscribed", () => venue.listenersOf("btcusdt@trade") > 0, DEADLINE_MS);
  venue.sendToAll(tradeFrame(TRADE));
  return { venue, pipeline };
}

async function untilStored(pipeline: Pipeline, count: number): Promise<readonly StoredCandle[]> {
  let candles: readonly StoredCandle[] = [];
  const stored = async () => {
    candles = await pipeline.candles("1s");
    return candles.length >= count;
  };
  await until(`${count} candles are stored`, stored, DEADLINE_MS);
  return candles;
}

test("a lone trade's candle is closed by the clock, and flat ones follow, one a second", async (t) => {
  const { pipeline } = await startQuietPipeline(t, "flat");
  const startMs = performance.now();
  const candles = await untilStored(pipeline, 3);
  const seconds = (performance.now() - startMs) / SECOND_MS;
  const [first, ...flat] = candles;
  assert.deepEqual([first!.market, first!.openMs, first!.trades], ["BTC-USDT", OPEN_MS, 1]);
  assert.deepEqual([first!.first_id, first!.last_id, first!.revision], ["501", "501", 0]);
  for (const [index, candle] of flat.entries()) {
    assert.equal(candle.openMs, OPEN_MS + (index + 1) * SECOND_MS);
    const { open, high, low, close, trades, volume } = candle;
    assert.deepEqual([open, high, low, close], Array(4).fill(first!.close));
    assert.deepEqual([trades, volume], [0, 0]);
  }
  assert.ok(candles.length <= seconds + 1, `${candles.length} candles in ${seconds} s`);
});

test("with FILL=none only seconds with trades have candles", async (t) => {
  const { pipeline, venue } = await startQuietPipeline(t, "none");
  await untilStored(pipeline, 1);
  const later = { ...TRADE, id: TRADE.id + 1, timeMs: TRADE.timeMs + 10 * SECOND_MS };
  venue.sendToAll(tradeFrame(later));
  const candles = await untilStored(pipeline, 2);
  assert.deepEqual(
    candles.map(({ openMs, trades }) => [openMs, trades]),
    [
      [OPEN_MS, 1],
      [OPEN_MS + 10 * SECOND_MS, 1],
    ],
  );
  assert.equal((await pipeline.stop()).candlesClosed, 2);
});
