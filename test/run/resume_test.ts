import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { parseMarket } from "../../src/market/market.ts";
import { startInfluxd } from "../../src/servers/influxd.ts";
import { startNatsServer } from "../../src/servers/nats_server.ts";
import { BinanceServer } from "../../src/simulator/binance_server.ts";
import { replay } from "../../src/simulator/replay.ts";
import { areStored, checkStored, expectedCandles } from "../pipeline/expected_candles.ts";
import { createStore, until } from "../pipeline/harness.ts";
import { Command } from "./command.ts";
import { inTurn, replayedTrades } from "./replayed_trades.ts";

const MARKETS = ["BTC", "ETH", "SOL"].map((base) => parseMarket(`binance:${base}-USDT`));
const START_MS = Date.UTC(2024, 7, 9, 12, 0, 20, 500);
const END_MS = Date.UTC(2024, 7, 9, 12, 3, 5, 500);
const SPEED = 6;
const KILL_AFTER_MS = [9_000, 17_000];
const DEADLINE_MS = 60_000;

test("workers that are killed go on with candles of which the stream holds only the end", async (t) => {
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
    // A minute of the market takes ten seconds: its first trades are gone before it ends.
    TICK_MAX_AGE: "7s",
    PERSIST_TICKS: "false",
    LOG_LEVEL: "info",
  };
  // Fixed shards, so that the next process need not wait until the lease of the killed one has ended.
  const startWorkers = () => new Command(t, "run-workers", { ...env, SHARD: "0-7" });
  const store = createStore(influxd.url, "market");
  const ingest = new Command(t, "run-ingest", env);
  let workers = startWorkers();
  const { events, trades } = replayedTrades(MARKETS, {
    seed: 11,
    startMs: START_MS,
    endMs: END_MS,
    tradesPerSecond: 30,
  });
  const awaited = MARKETS.map(({ base, quote }) => `${base}${quote}@trade`.toLowerCase());
  const { signal } = new AbortController();
  const replaying = replay(venue, inTurn(events), { speed: SPEED, awaited, signal });
  await until("the replay has begun", () => venue.subscriptions.length === MARKETS.length, DEADLINE_MS);
  const startMs = performance.now();
  for (const killMs of KILL_AFTER_MS) {
    await delay(startMs + killMs - performance.now());
    workers.send("SIGKILL");
    await workers.ends();
    workers = startWorkers();
    await workers.logs(/going on from snapshots/);
  }
  await replaying;
  const expected = expectedCandles(trades);
  await until("all candles are stored", () => areStored(store, expected), DEADLINE_MS);
  for (const command of [ingest, workers]) command.send("SIGTERM");
  for (const command of [ingest, workers]) {
    assert.deepEqual(await command.ends(), { code: 0, signal: null }, command.stderr);
    assert.match(command.stdout, /\nlost +0\n/);
  }
  await checkStored(store, expected, { pauses: true });
});
