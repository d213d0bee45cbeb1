import assert from "node:assert/strict";
import { test } from "node:test";
import type { Candle } from "../../src/market/candle.ts";
import { decodeCandle, encodeCandle } from "../../src/wire/candle_codec.ts";
import { BadMessageError } from "../../src/wire/tick_message.ts";

const candle: Candle = {
  venue: "binance",
  market: "BTC-USDT",
  interval: "1m",
  openMs: 1_723_161_600_000,
  endMs: 1_723_161_660_000,
  open: "61698.02",
  high: "61700",
  low: "61650.5",
  close: "61651",
  volume: "12.34567",
  quoteVolume: "761234.123456789",
  buyVolume: "6.1",
  buyQuoteVolume: "376212.5",
  trades: 812,
  firstId: "3740000000",
  lastId: "3740000811",
  missing: 0,
  late: 1,
  revision: 2,
  complete: true,
};

test("decodeCandle() reads back what encodeCandle() wrote", () => {
  assert.deepEqual(decodeCandle(candle, encodeCandle(candle)), { ...candle, token: 0 });
  assert.deepEqual(decodeCandle(candle, encodeCandle(candle, 7)), { ...candle, token: 7 });
});

test("decodeCandle() refuses bytes that are no candle", () => {
  const good = encodeCandle(candle);
  const bad = encodeCandle({ ...candle, high: "NaN" });
  for (const data of [new Uint8Array(0), good.subarray(0, good.length - 3), bad]) {
    assert.throws(() => decodeCandle(candle, data), BadMessageError);
  }
});
