import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { createBinanceExchange } from "../../src/exchange/binance.ts";
import { TradeGate } from "../../src/ingest/trade_gate.ts";
import { parseMarket } from "../../src/market/market.ts";

const DATA = new URL("../../../shared/data/", import.meta.url);
const skip = existsSync(DATA) ? false : "the recorded market data (../shared/data) is not here";

function readLines(folder: string, pattern: RegExp): string[] {
  const files = readdirSync(new URL(folder, DATA))
    .filter((name) => pattern.test(name))
    .sort();
  return files.flatMap((name) => {
    const text = gunzipSync(readFileSync(new URL(`${folder}${name}`, DATA))).toString();
    return text.split("\n").filter((line) => line !== "");
  });
}

function createGate(markets: number, accepted: number[], rejected: string[]): TradeGate {
  return new TradeGate({
    markets,
    latenessMs: 300_000,
    accept: ({ id }) => accepted.push(id),
    reject: (_reason, message) => rejected.push(message),
  });
}

test("reader and gate take every trade of recorded Binance frames and nothing else", { skip }, () => {
  const names = ["BTC-USDT", "ETH-USDT"];
  const lines = names.flatMap((name) =>
    readLines("binance-2024-08/", new RegExp(`^${name.slice(0, 3)}.*gz$`, "i")),
  );
  // Each line begins with its receive time, ns.
  lines.sort((a, b) => Number(a.slice(0, 16)) - Number(b.slice(0, 16)));
  const reader = createBinanceExchange().createReader(names.map((name) => parseMarket(`binance:${name}`)));
  const [accepted, rejected]: [number[], string[]] = [[], []];
  const gate = createGate(2, accepted, rejected);
  let nowMs = 1;
  for (const line of lines) {
    const kind = reader.read(line.slice(line.indexOf(" ") + 1));
    if (kind === "trade") gate.offer({ ...reader.trade, receivedMs: (nowMs += 0.01) });
    else assert.equal(kind, "ignored", reader.message);
  }
  gate.expire(nowMs + 5000);
  assert.deepEqual(rejected, []);
  assert.equal(accepted.length, 34_419);
  assert.equal(gate.missing, 0);
  assert.equal(gate.duplicates, 0);
});

test("gate lets a week of a quiet market through at any replay speed", { skip }, () => {
  const rows = readLines("ada-2019-06/", /^ADAUSDT.*gz$/).map((line) => line.split(";"));
  const trades = rows.map((row) => ({ id: Number(row[4]), eventMs: Number(row[2]), timeMs: Number(row[9]) }));
  trades.sort((a, b) => a.id - b.id);
  const rest = { market: 0, price: 1, priceDecimals: 0, quantity: 1, quantityDecimals: 0, buy: true };
  for (const speed of [1, 1000, Number.POSITIVE_INFINITY]) {
    const [accepted, rejected]: [number[], string[]] = [[], []];
    const gate = createGate(1, accepted, rejected);
    const firstMs = trades[0]!.eventMs;
    let nowMs = 0;
    for (const trade of trades) {
      nowMs = Math.max(nowMs, (trade.eventMs - firstMs) / speed) + 0.001;
      gate.expire(nowMs);
      gate.offer({ ...rest, ...trade, receivedMs: nowMs });
    }
    gate.expire(nowMs + 5000);
    assert.deepEqual(rejected, [], `at speed ${speed}`);
    assert.equal(accepted.length + gate.duplicates, trades.length, `at speed ${speed}`);
    assert.equal(new Set(accepted).size, accepted.length);
  }
});
