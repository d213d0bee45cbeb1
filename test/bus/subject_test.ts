import assert from "node:assert/strict";
import { test } from "node:test";
import {
  candleSubject,
  liveSubject,
  parseCandleSubject,
  tickFilter,
  tickSubject,
  venueOf,
} from "../../src/bus/subject.ts";

test("tickSubject() names shard and venue, and venueOf() finds the venue again", () => {
  assert.equal(tickSubject(7, "binance"), "ticks.7.binance");
  assert.equal(venueOf(tickSubject(7, "binance")), "binance");
  assert.equal(tickFilter(7), "ticks.7.*");
});

test("parseCandleSubject() reads what candleSubject() and liveSubject() wrote", () => {
  const key = { venue: "okx", market: "BTC-USDT-PERP", interval: "15m" } as const;
  assert.equal(candleSubject(key), "candles.okx.BTC-USDT-PERP.15m");
  assert.equal(liveSubject(key), "live.okx.BTC-USDT-PERP.15m");
  assert.deepEqual(parseCandleSubject(candleSubject(key)), key);
  assert.deepEqual(parseCandleSubject(liveSubject(key)), key);
});

test("parseCandleSubject() refuses what is no candle subject", () => {
  for (const subject of ["", "candles", "candles.okx.BTC-USDT", "candles.okx.BTC-USDT.7m", "candles..X.1m"]) {
    assert.throws(() => parseCandleSubject(subject), {
      name: "SyntaxError",
      message: /Cannot parse subject/,
    });
  }
  assert.throws(() => parseCandleSubject("candles.okx.BTC-USDT.1m.more"), SyntaxError);
});
