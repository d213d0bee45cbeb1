import assert from "node:assert/strict";
import { candleSubject } from "../../src/bus/subject.ts";
import { readPublished } from "../../src/kline/heritage.ts";
import type { Candle } from "../../src/market/candle.ts";
import { encodeCandle } from "../../src/wire/candle_codec.ts";
import { type BusTest, busTest } from "../bus/harness.ts";

const START_MS = Date.UTC(2026, 0, 1);

busTest("readPublished() finds the last candles where snapshots and ticks are gone", async (t) => {
  await publish(t, candleAt(0), candleAt(1), candleAt(2));
  const before = (await read(t)).venues.get("binance")?.get("BTC-USDT");
  assert.equal(before?.newest("1s")?.openMs, START_MS + 2_000);
});

busTest("readPublished() finds the last candle though an older one was revised after it", async (t) => {
  await publish(t, candleAt(0), candleAt(1), { ...candleAt(0), revision: 1 });
  const before = (await read(t)).venues.get("binance")?.get("BTC-USDT");
  assert.equal(before?.newest("1s")?.openMs, START_MS + 1_000);
});

busTest("readPublished() leaves a market with a snapshot to that", async (t) => {
  await publish(t, candleAt(0));
  assert.equal((await read(t, true)).venues.size, 0);
});

async function publish({ bus, streams }: BusTest, ...candles: readonly Candle[]): Promise<void> {
  for (const name of ["TICKS", "CANDLES"] as const) await streams.ensure(name);
  const client = bus.connection.jetstream();
  for (const candle of candles) await client.publish(candleSubject(candle), encodeCandle(candle));
}

function read({ bus, signal }: BusTest, isSaved = false) {
  const sinceMs = Number.POSITIVE_INFINITY;
  const hasSnapshot = () => isSaved;
  return readPublished(bus, {
    shard: 0,
    shards: 1,
    interval: "1s",
    sinceMs,
    after: undefined,
    hasSnapshot,
    signal,
  });
}

/** The candle of a second. */
function candleAt(second: number): Candle {
  const openMs = START_MS + second * 1_000;
  return {
    venue: "binance",
    market: "BTC-USDT",
    interval: "1s",
    openMs,
    endMs: openMs + 1_000,
    open: "1",
    high: "1",
    low: "1",
    close: "1",
    volume: "1",
    quoteVolume: "1",
    buyVolume: "1",
    buyQuoteVolume: "1",
    trades: 1,
    firstId: String(second),
    lastId: String(second),
    missing: 0,
    late: 0,
    revision: 0,
    complete: true,
  };
}
