import assert from "node:assert/strict";
import { test } from "node:test";
import type { Trade } from "../../src/exchange/exchange.ts";
import { RecentTrades } from "../../src/ingest/recent_trades.ts";

function tradeAt(receivedMs: number, id: number): Trade {
  const numbers = { price: 1, priceDecimals: 0, quantity: 1, quantityDecimals: 0 };
  return { market: 0, id, ...numbers, buy: true, timeMs: receivedMs, eventMs: receivedMs, receivedMs };
}

test("RecentTrades keeps the trades of the last six seconds, copied, and counts those that passed", () => {
  const recent = new RecentTrades();
  const trade = tradeAt(0, 0);
  for (let id = 0; id < 20_000; id++) {
    trade.id = id;
    trade.receivedMs = id;
    recent.add(trade);
  }
  assert.equal(recent.passed, 20_000 - 6_001);
  assert.deepEqual(
    recent.take().map(({ id }) => id),
    Array.from({ length: 6_001 }, (_, i) => 20_000 - 6_001 + i),
  );
  assert.equal(recent.size, 0);
  assert.equal(recent.passed, 20_000 - 6_001, "what was taken did not pass");
});

test("RecentTrades keeps no more than 200,000 trades", () => {
  const recent = new RecentTrades();
  for (let id = 0; id < 200_010; id++) recent.add(tradeAt(1_000, id));
  assert.equal(recent.size, 200_000);
  assert.equal(recent.passed, 10);
  assert.equal(recent.take()[0]!.id, 10);
});
