import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "nats";
import { parseMarket } from "../../src/market/market.ts";
import { shardOf } from "../../src/market/shard.ts";
import { startInfluxd } from "../../src/servers/influxd.ts";
import { startNatsServer } from "../../src/servers/nats_server.ts";
import { BinanceServer } from "../../src/simulator/binance_server.ts";
import { replay } from "../../src/simulator/replay.ts";
import { areStored, checkStored, expectedCandles, storedCandles } from "../pipeline/expected_candles.ts";
import { createStore, type Store, until } from "../pipeline/harness.ts";
import { Command } from "./command.ts";
import { inTurn, replayedTrades } from "./replayed_trades.ts";

const MARKETS = ["ADA", "BTC", "SOL", "DOGE", "ETH", "XRP"].map((base) =>
  parseMarket(`binance:${base}-USDT`),
);
const INTERVALS = ["1s", "1m"];
const START_MS = Date.UTC(2024, 7, 9, 12, 0, 20, 500);
const END_MS = Date.UTC(2024, 7, 9, 12, 3, 5, 500);
const STORED_DEADLINE_MS = 60_000;

test("one ingest process and two worker processes store each candle of a replay exactly once", async (t) => {
  const halves = new Set(MARKETS.map(({ id }) => shardOf(id, 8) < 4));
  assert.equal(halves.size, 2, "both halves of the shards have markets");
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
    INTERVALS: INTERVALS.join(),
    // The trades are older than the default.
    TICK_RETENTION: "0",
    LOG_LEVEL: "warn",
  };
  const ingest = new Command(t, "run-ingest", env);
  const workers = ["0-3", "4-7"].map((shards) => new Command(t, "run-workers", { ...env, SHARD: shards }));

  const { events, trades } = replayedTrades(MARKETS, {
    seed: 42,
    startMs: START_MS,
    endMs: END_MS,
    tradesPerSecond: 20,
  });
  const awaited = MARKETS.map(({ base, quote }) => `${base}${quote}@trade`.toLowerCase());
  const { signal } = new AbortController();
  await replay(venue, inTurn(events), { speed: 0, awaited, signal });

  const store = createStore(influxd.url, "market");
  const expected = expectedCandles(trades);
  await until("all candles are stored", () => areStored(store, expected), STORED_DEADLINE_MS);
  const inspect = new Command(t, "inspect", { NATS_URL: nats.url });
  assert.deepEqual(await inspect.ends(), { code: 0, signal: null }, inspect.stderr);
  checkInspection(inspect.stdout);

  for (const command of [ingest, ...workers]) command.send("SIGTERM");
  for (const command of [ingest, ...workers]) {
    assert.deepEqual(await command.ends(), { code: 0, signal: null }, command.stderr);
    assert.match(command.stdout, /\nlost +0\n/);
    // A loaded machine may cost a lease; that must not show in the candles, and nothing else may be said.
    const complaints = command.stderr.split("\n").filter((line) => !/^$|"msg":"lease ended"/.test(line));
    assert.deepEqual(complaints, []);
  }
  for (const { stdout } of workers) assert.match(stdout, /\ncandles stored +[1-9]/);
  await checkStored(store, expected);
  const incomplete = [...expected.values()].filter(({ complete }) => !complete);
  assert.equal(incomplete.length, MARKETS.length * INTERVALS.length, "only the first candles are incomplete");
  await checkMessages(nats.url, store);
  const [{ count } = { count: 0 }] = await store.query('SELECT count("id") FROM ticks.ticks');
  assert.equal(count, trades.length);
});

/** Holds the stream of candles against what is stored: one message for each candle. */
async function checkMessages(natsUrl: string, store: Store): Promise<void> {
  const connection = await connect({ servers: natsUrl });
  try {
    const manager = await connection.jetstreamManager();
    const { state } = await manager.streams.info("CANDLES", { subjects_filter: ">" });
    const counts: Record<string, number> = {};
    for (const { market, interval } of (await storedCandles(store)).values()) {
      const subject = `candles.binance.${market}.${interval}`;
      counts[subject] = (counts[subject] ?? 0) + 1;
    }
    assert.deepEqual(state.subjects, counts);
  } finally {
    await connection.close();
  }
}

/** Every stream, every consumer and an account of every actor. */
function checkInspection(text: string): void {
  for (const stream of ["TICKS", "CANDLES", "LIVE"]) {
    assert.match(text, new RegExp(`^${stream} +[1-9]\\d* +[1-9]\\d* +[1-9]\\d* +[\\d.]+ s$`, "m"));
  }
  const shards = Array.from({ length: 8 }, (_, shard) => shard);
  for (const shard of shards) {
    assert.match(text, new RegExp(`^kline-${shard}\\S* +TICKS +ticks\\.${shard}\\.\\* +0$`, "m"));
    assert.match(text, new RegExp(`^persist-ticks-${shard}\\S* +TICKS +ticks\\.${shard}\\.\\* +0$`, "m"));
    assert.match(text, new RegExp(`^tickline-kline ${shard} +actor kline-${shard}`, "m"));
    assert.match(text, new RegExp(`^tickline-persist ticks ${shard} +actor persist-ticks-${shard}`, "m"));
  }
  assert.equal(text.match(/^persist-candles\S* +CANDLES +candles\.> +0$/gm)?.length, 2, text);
  assert.equal(
    text.match(/^tickline-persist candles +actor persist-candles, received \d+/gm)?.length,
    2,
    text,
  );
  assert.match(
    text,
    /^tickline-ingest binance +venue binance, markets 6, connectedMarkets 6, .*accepted \d+/m,
  );
}
