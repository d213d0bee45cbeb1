import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMarket } from "../../src/market/market.ts";
import { startInfluxd } from "../../src/servers/influxd.ts";
import { startNatsServer } from "../../src/servers/nats_server.ts";
import { BinanceServer } from "../../src/simulator/binance_server.ts";
import { replay } from "../../src/simulator/replay.ts";
import { areStored, checkStored, expectedCandles, storedCandles } from "../pipeline/expected_candles.ts";
import { createStore, until } from "../pipeline/harness.ts";
import { Command } from "./command.ts";
import { inTurn, replayedTrades } from "./replayed_trades.ts";

const MARKETS = ["BTC", "ETH", "SOL"].map((base) => parseMarket(`binance:${base}-USDT`));
const START_MS = Date.UTC(2024, 7, 9, 12, 0, 20, 500);
const END_MS = Date.UTC(2024, 7, 9, 12, 3, 5, 500);
const KILLS = 2;
const DEADLINE_MS = 60_000;

test("workers that are killed in the middle of a replay leave no trace in what is stored", async (t) => {
  const nats = await startNatsServer();
  t.after(() => nats.stop());
  const influxd = await startInfluxd();
  t.after(() => influxd.stop());
  const venue = await BinanceServer.start();
  t.after(() => venue.stop());
  const env = {
    NATS_URL: nats.url,
    INFLUX_URL: influxd.url,
    BINANCE_WS_URL: venue.url,
    MARKETS: MARKETS.map(({ id }) => id).join(),
    INTERVALS: "1s,1m",
    // Long enough for a slow machine: what the stream still holds is what a restart may not lose.
    TICK_MAX_AGE: "10m",
    // The trades are older than the default.
    TICK_RETENTION: "0",
    LOG_LEVEL: "warn",
  };
  const store = createStore(influxd.url, "market");
  const ingest = new Command(t, "run-ingest", env);
  let workers = new Command(t, "run-workers", env);
  const { events, trades } = replayedTrades(MARKETS, {
    seed: 5,
    startMs: START_MS,
    endMs: END_MS,
    tradesPerSecond: 20,
  });
  const awaited = MARKETS.map(({ base, quote }) => `${base}${quote}@trade`.toLowerCase());
  const { signal } = new AbortController();
  const size = Math.ceil(events.length / (KILLS + 1));
  for (let part = 0; part <= KILLS; part++) {
    const stored = await storedCount();
    await replay(venue, inTurn(events.slice(part * size, (part + 1) * size)), { speed: 0, awaited, signal });
    if (part === KILLS) break;
    await until("some more is stored", async () => (await storedCount()) > stored, DEADLINE_MS);
    workers.send("SIGKILL");
    await workers.ends();
    workers = new Command(t, "run-workers", env);
  }
  const expected = expectedCandles(trades);
  await until("all candles are stored", () => areStored(store, expected), DEADLINE_MS);
  const ticks = () => store.query('SELECT count("id") FROM ticks.ticks');
  await until("all ticks are stored", async () => (await ticks())[0]?.count === trades.length, DEADLINE_MS);
  for (const command of [ingest, workers]) command.send("SIGTERM");
  for (const command of [ingest, workers]) {
    assert.deepEqual(await command.ends(), { code: 0, signal: null }, command.stderr);
    assert.match(command.stdout, /\nlost +0\n/);
  }
  await checkStored(store, expected, { pauses: true });

  async function storedCount(): Promise<number> {
    return (await storedCandles(store).catch(() => new Map())).size;
  }
});
