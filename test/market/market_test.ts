import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMarket } from "../../src/market/market.ts";
import { shardOf } from "../../src/market/shard.ts";

test("parseMarket() reads venue, pair and suffixes", () => {
  assert.deepEqual(parseMarket("binance:BTC-USDT"), {
    id: "binance:BTC-USDT",
    venue: "binance",
    name: "BTC-USDT",
    base: "BTC",
    quote: "USDT",
  });
  assert.equal(parseMarket("okx:BTC-USDT-PERP").name, "BTC-USDT-PERP");
});

test("parseMarket() refuses what is no market, and quotes it", () => {
  for (const text of [
    "",
    "BTC-USDT",
    "binance:BTCUSDT",
    "Binance:BTC-USDT",
    "binance:btc-usdt",
    "a:B-C.D",
    "a:B-C D",
  ]) {
    assert.throws(() => parseMarket(text), { name: "SyntaxError", message: new RegExp(`"${text}"`) });
  }
});

test("shardOf() never changes: processes of different versions must agree", () => {
  const known = { "binance:BTC-USDT": 1, "binance:ETH-USDT": 6, "sim:BTC-USDT": 2 };
  for (const [id, shard] of Object.entries(known)) assert.equal(shardOf(id, 8), shard, id);
});

test("shardOf() spreads markets evenly, whatever the number of shards", () => {
  const ids = Array.from({ length: 4_000 }, (_, index) => `binance:C${index}-USDT`);
  for (const shards of [2, 7, 8, 16]) {
    const counts = new Array<number>(shards).fill(0);
    for (const id of ids) counts[shardOf(id, shards)]!++;
    const mean = ids.length / shards;
    for (const count of counts) assert.ok(Math.abs(count - mean) < 5 * Math.sqrt(mean), `${counts}`);
  }
});
