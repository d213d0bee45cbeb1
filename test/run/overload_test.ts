import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { startInfluxd } from "../../src/servers/influxd.ts";
import { startNatsServer } from "../../src/servers/nats_server.ts";
import { freePort } from "../../src/servers/port.ts";
import { Random } from "../../src/simulator/random.ts";
import { ChaosVenue, MARKETS } from "../chaos/chaos_venue.ts";
import type { ReferenceTrade } from "../kline/reference.ts";
import { scrape } from "../observe/prometheus_text.ts";
import { areStored, checkStored, expectedCandles } from "../pipeline/expected_candles.ts";
import { createStore, type Store, until } from "../pipeline/harness.ts";
import { Command } from "./command.ts";
import { ReplayStage } from "./replay_stage.ts";

const DEADLINE_MS = 60_000;
const PARTS = 3;
/** Long enough for a slow machine to read what is fresh in time. */
const MAX_LAG_MS = 5_000;

test("workers skip what is older than TICK_MAX_LAG, count it, and the candles say exactly what they lack", async (t) => {
  const stage = await ReplayStage.start(t, {
    bases: ["BTC", "ETH", "SOL"],
    seed: 3,
    lengthMs: 90_000,
    tradesPerSecond: 20,
  });
  const ports = { ingest: await freePort(), workers: await freePort() };
  const ingest = stage.run("run-ingest", { METRICS_PORT: String(ports.ingest) });
  // Fixed shards, so that it loses no lease while it stands still.
  const workers = stage.run("run-workers", {
    SHARD: "0-7",
    TICK_MAX_LAG: `${MAX_LAG_MS}ms`,
    METRICS_PORT: String(ports.workers),
  });
  const [before, shed, after] = [0, 1, 2].map((part) => stage.tradesOf(part, PARTS));
  const counted = (metric: string, label: string, count: number) =>
    until(
      `${metric} ${label} is ${count}`,
      async () => (await scrape(ports.workers)).sum(metric, label) === count,
      DEADLINE_MS,
    );

  await stage.play({ part: 0, of: PARTS });
  await counted("tickline_kline_ticks_total", "outcome=accepted", before!.length);
  await counted("tickline_persist_ticks_total", "outcome=received", before!.length);
  workers.send("SIGSTOP");
  await stage.play({ part: 1, of: PARTS });
  const published = async () => (await scrape(ports.ingest)).sum("tickline_ticks_published_total");
  const sent = before!.length + shed!.length;
  await until("the stream has the second part", async () => (await published()) === sent, DEADLINE_MS);
  await delay(1.1 * MAX_LAG_MS);
  workers.send("SIGCONT");
  await counted("tickline_kline_ticks_total", "outcome=skipped", shed!.length);
  await counted("tickline_persist_ticks_total", "outcome=skipped", shed!.length);
  await stage.play({ part: 2, of: PARTS });

  await stage.untilRight({ pauses: true }, [...before!, ...after!]);
  await stage.stop(ingest, workers);
  const inCandles = (before!.length + after!.length).toLocaleString("en-US");
  assert.match(ingest.stdout, /\nlost +0\n/);
  assert.match(workers.stdout, new RegExp(`\nticks in candles ${inCandles} `));
  const [n, twice] = [shed!.length, 2 * shed!.length];
  assert.match(
    workers.stdout,
    new RegExp(`\nlost +${twice} \\(tick_skipped ${n}, history_tick_skipped ${n}\\)\n`),
  );
  await stage.untilRight({ pauses: true }, [...before!, ...after!]);
});

/** Shorter than a lease lasts. */
const FREEZE_MS = 1_500;
const FEED_MAX_LAG_MS = 500;
const TRADES_PER_SECOND = 800;

test("ingest that falls behind the venue by TICK_MAX_LAG sheds what waits, and the candles say exactly what they lack", async (t) => {
  const nats = await startNatsServer();
  t.after(() => nats.stop());
  const influxd = await startInfluxd();
  t.after(() => influxd.stop());
  const venue = await ChaosVenue.start(new Random(4), TRADES_PER_SECOND);
  t.after(() => venue.stop());
  const env = {
    NATS_URL: nats.url,
    INFLUX_URL: influxd.url,
    BINANCE_WS_URL: venue.server.url,
    MARKETS: MARKETS.map(({ id }) => id).join(),
    INTERVALS: "1s,1m",
    LOG_LEVEL: "warn",
  };
  const store = createStore(influxd.url, "market");
  const workers = new Command(t, "run-workers", env);
  const ingest = new Command(t, "run-ingest", { ...env, TICK_MAX_LAG: `${FEED_MAX_LAG_MS}ms` });
  await until("ingest follows the venue", () => venue.isFollowedBy(1), DEADLINE_MS);
  venue.open();
  const isStored = async (count: number) => (await storedTicks(store)).size >= count;
  await until("some ticks are stored", () => isStored(TRADES_PER_SECOND), DEADLINE_MS);

  const frozenFrom = venue.trades.length;
  ingest.send("SIGSTOP");
  await delay(FREEZE_MS);
  const frozenTo = venue.trades.length;
  ingest.send("SIGCONT");
  await ingest.logs(/"cause":"stale"/);
  await until("it follows again", () => venue.isFollowedBy(1), DEADLINE_MS);
  const goOnTo = venue.trades.length + 2 * TRADES_PER_SECOND;
  await until("there are more trades", () => venue.trades.length >= goOnTo, DEADLINE_MS);
  venue.close();
  const lastOnes = venue.trades.slice(-MARKETS.length).map(keyOf);
  const haveCome = async () => {
    const ticks = await storedTicks(store);
    return lastOnes.every((key) => ticks.has(key));
  };
  await until("the last trades are stored", haveCome, DEADLINE_MS);

  const ticks = await storedTicks(store);
  const came = venue.trades.filter((trade) => ticks.has(keyOf(trade)));
  assert.equal(came.length, ticks.size);
  const frozen = venue.trades.slice(frozenFrom, frozenTo);
  const shed = frozen.filter((trade) => !ticks.has(keyOf(trade))).length;
  // What the process had received before it stood still comes out, and a sample by which it notices.
  assert.ok(shed > frozen.length / 2, `${shed} of ${frozen.length} are shed`);
  const expected = expectedCandles(came);
  await until("all candles are stored", () => areStored(store, expected), DEADLINE_MS);
  for (const command of [ingest, workers]) {
    command.send("SIGTERM");
    assert.deepEqual(await command.ends(), { code: 0, signal: null }, command.stderr);
  }
  await checkStored(store, expected, { pauses: true });
  assert.match(ingest.stdout, new RegExp(`missing at the venue ${venue.trades.length - came.length}\n`));
  assert.match(workers.stdout, /\nlost +0\n/);
});

function keyOf({ market, id }: ReferenceTrade): string {
  return `${market} ${id}`;
}

/** Markets and ids of the ticks that are stored. */
async function storedTicks(store: Store): Promise<ReadonlySet<unknown>> {
  // Before the workers have made the database, there is nothing to ask.
  const rows = await store.query('SELECT "market", "id" FROM ticks.ticks').catch(() => []);
  return new Set(rows.map(({ market, id }) => `${market} ${id}`));
}
