import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { parseMarket } from "../../src/market/market.ts";
import { startInfluxd } from "../../src/servers/influxd.ts";
import { startNatsServer } from "../../src/servers/nats_server.ts";
import { BinanceServer } from "../../src/simulator/binance_server.ts";
import { replay } from "../../src/simulator/replay.ts";
import { areStored, checkStored, expectedCandles, storedCandles } from "../pipeline/expected_candles.ts";
import { createStore, until } from "../pipeline/harness.ts";
import { Command } from "./command.ts";
import { inTurn, replayedTrades } from "./replayed_trades.ts";

const MARKETS = ["BTC", "ETH", "SOL", "XRP", "ADA", "DOT"].map((base) => parseMarket(`binance:${base}-USDT`));
const START_MS = Date.UTC(2024, 7, 9, 12, 0, 20, 500);
const END_MS = Date.UTC(2024, 7, 9, 12, 4, 5, 500);
const DEADLINE_MS = 60_000;
/** Longer than a lease lasts and than others wait for it. */
const FREEZE_MS = 6_000;
const PARTS = 5;

test("workers and ingests that join, are killed and are frozen leave no trace in what is stored", async (t) => {
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
    // What the stream still holds is what a change of hands may not lose; long enough for a slow machine.
    TICK_MAX_AGE: "10m",
    // The trades are older than the default.
    TICK_RETENTION: "0",
    LOG_LEVEL: "debug",
  };
  const store = createStore(influxd.url, "market");
  const { events, trades } = replayedTrades(MARKETS, {
    seed: 9,
    startMs: START_MS,
    endMs: END_MS,
    tradesPerSecond: 20,
  });
  const awaited = MARKETS.map(({ base, quote }) => `${base}${quote}@trade`.toLowerCase());
  const { signal } = new AbortController();
  const size = Math.ceil(events.length / PARTS);
  const play = async (part: number) => {
    const stored = await storedCount();
    await replay(venue, inTurn(events.slice(part * size, (part + 1) * size)), { speed: 0, awaited, signal });
    await until("some more is stored", async () => (await storedCount()) > stored, DEADLINE_MS);
  };
  const workers = () => new Command(t, "run-workers", env);

  const ingest = new Command(t, "run-ingest", env);
  const first = workers();
  await play(0);
  const standby = new Command(t, "run-ingest", env);
  const second = workers();
  await second.logs(/"piece":"kline\.\d".*"msg":"lease acquired"/);
  await play(1);
  assert.equal(venue.connections, 1, "one ingest is active, the other stands by");

  first.send("SIGKILL");
  await first.ends();
  await play(2);

  // Its shards go to a third one; when it wakes up, nothing of what it had in hand may come out.
  const third = workers();
  await third.logs(/"piece":"kline\.\d".*"msg":"lease acquired"/);
  second.send("SIGSTOP");
  await delay(FREEZE_MS);
  await play(3);
  second.send("SIGCONT");
  await second.logs(/"end":"lost"/);

  ingest.send("SIGKILL");
  await ingest.ends();
  await until("the other ingest has taken over", () => venue.connections === 1, DEADLINE_MS);
  await play(4);

  const expected = expectedCandles(trades);
  await until("all candles are stored", () => areStored(store, expected), DEADLINE_MS);
  await until("all candles are right", () => isRight(expected), DEADLINE_MS);
  const ticks = () => store.query('SELECT count("id") FROM ticks.ticks');
  await until("all ticks are stored", async () => (await ticks())[0]?.count === trades.length, DEADLINE_MS);
  for (const command of [standby, second, third]) command.send("SIGTERM");
  for (const command of [standby, second, third]) {
    assert.deepEqual(await command.ends(), { code: 0, signal: null }, command.stderr);
  }
  await checkStored(store, expected, { pauses: true });

  async function storedCount(): Promise<number> {
    return (await storedCandles(store).catch(() => new Map())).size;
  }

  async function isRight(candles: typeof expected): Promise<boolean> {
    return await checkStored(store, candles, { pauses: true }).then(
      () => true,
      () => false,
    );
  }
});
