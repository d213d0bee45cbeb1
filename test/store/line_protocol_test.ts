import assert from "node:assert/strict";
import { test } from "node:test";
import type { Candle } from "../../src/market/candle.ts";
import type { TickBuffer } from "../../src/market/tick_buffer.ts";
import { candleLine, tickLine } from "../../src/store/line_protocol.ts";
import { candle, tickBatch } from "./stored_values.ts";

test("candleLine() writes each field in its type, and decimals as the text that they are", () => {
  assert.equal(
    candleLine({ ...candle, open: "0.00000001", quoteVolume: "123456789012345.12345678" }),
    "candles,interval=1m,market=BTC-USDT,venue=binance " +
      "open=0.00000001,high=61700,low=61650.5,close=61651" +
      ",volume=12.34567,quote_volume=123456789012345.12345678,buy_volume=6.1,buy_quote_volume=376212.5" +
      ",trades=812i,missing=3i,late=1i,revision=2i" +
      ',first_id="3740000000",last_id="3740000811",complete=true 1723161600000',
  );
  assert.match(candleLine({ ...candle, firstId: "", complete: false }), /,first_id="",.*complete=false /);
});

test("tickLine() writes each field in its type", () => {
  const batch = tickBatch([
    {
      market: "BTC-USDT",
      id: 3_740_000_811,
      price: 61_698.02,
      quantity: 1e-8,
      side: "buy",
      timeMs: 1_723_161_600_123,
    },
    { market: "ETH-USDT", id: 7, price: 3_000, quantity: 0.5, side: "sell", timeMs: 1_723_161_600_124 },
  ]);
  assert.equal(
    tickLine("binance", batch, 0),
    'ticks,market=BTC-USDT,venue=binance price=61698.02,quantity=1e-8,side="buy",id="3740000811" ' +
      "1723161600123000811",
  );
  assert.equal(
    tickLine("binance", batch, 1),
    'ticks,market=ETH-USDT,venue=binance price=3000,quantity=0.5,side="sell",id="7" 1723161600124000007',
  );
});

test("tickLine() gives the trades of one ms points of their own, and a trade always the same one", () => {
  const trade = {
    market: "BTC-USDT",
    price: 1,
    quantity: 1,
    side: "buy",
    timeMs: 1_723_161_600_123,
  } as const;
  const sweep = Array.from({ length: 1_091 }, (_, i) => ({ ...trade, id: 3_739_999_500 + i }));
  const timeOf = (batch: TickBuffer, index: number) => tickLine("binance", batch, index).split(" ").at(-1)!;
  const batch = tickBatch(sweep);
  const times = new Set(sweep.map((_, index) => timeOf(batch, index)));
  assert.equal(times.size, sweep.length);
  for (const time of times) assert.match(time, /^1723161600123\d{6}$/);
  // In another batch, at another place, beside other ticks.
  const again = tickBatch([{ ...trade, id: 1 }, sweep[500]!]);
  assert.equal(timeOf(again, 1), timeOf(batch, 500));
});

test("lines of series beyond those that are remembered are right too", () => {
  const market = (i: number): Candle => ({ ...candle, market: `M${i}-USDT` });
  for (let i = 0; i <= 100_000; i++) candleLine(market(i));
  for (const i of [0, 99_999, 100_000]) {
    assert.ok(candleLine(market(i)).startsWith(`candles,interval=1m,market=M${i}-USDT,venue=binance open=`));
  }
});

test("candleLine() refuses names that would be read as something else", () => {
  for (const name of ["A,venue=evil", "A B", "A=B", "A\\", 'A"', "A\nm f=1", "A\x00", ""]) {
    assert.throws(() => candleLine({ ...candle, market: name }), SyntaxError, JSON.stringify(name));
    assert.throws(() => candleLine({ ...candle, venue: name }), SyntaxError, JSON.stringify(name));
  }
});
