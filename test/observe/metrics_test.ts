import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { parseConfig } from "../../src/config.ts";
import { LagHistogram } from "../../src/observe/lag_histogram.ts";
import { createLog } from "../../src/observe/log.ts";
import { counter, countsBy, gauge, withNoughts } from "../../src/observe/metric.ts";
import { Metrics } from "../../src/observe/metrics.ts";
import { Tally } from "../../src/observe/tally.ts";
import { openIngest, venueUrls } from "../../src/run/ingest_role.ts";
import { openKline } from "../../src/run/kline_role.ts";
import { Observation } from "../../src/run/observation.ts";
import { startOwnMarket } from "../../src/run/own_market.ts";
import { openPersist } from "../../src/run/persist_role.ts";
import { serveObservation } from "../../src/run/serve_observation.ts";
import { runRoles } from "../../src/run/stages.ts";
import { statusOf } from "../../src/run/status.ts";
import { startInfluxd } from "../../src/servers/influxd.ts";
import { startNatsServer } from "../../src/servers/nats_server.ts";
import { freePort } from "../../src/servers/port.ts";
import { until } from "../pipeline/harness.ts";
import { PrometheusText } from "./prometheus_text.ts";

const SECRETS = {
  INFLUX_USERNAME: "writer",
  INFLUX_PASSWORD: "hunter2",
  NATS_USER: "u",
  NATS_PASSWORD: "p4ss",
};

test("Metrics reads its sources whenever it is asked", async () => {
  const metrics = new Metrics();
  const causes = new Tally();
  const sources = [{ name: "a", count: 1, level: 5, causes }];
  const labelled = () => sources.map((source) => [{ source: source.name }, source] as const);
  metrics.add(["source"], labelled, [
    counter("things_total", "Things.", ({ count }) => count),
    gauge("level", "Level.", ({ level }) => level),
    countsBy("cause", "losses_total", "Losses.", (source) => withNoughts(source.causes, ["known"])),
  ]);
  const before = new PrometheusText(await metrics.text());
  assert.equal(before.get("tickline_things_total", { source: "a" }), 1);
  assert.equal(before.get("tickline_losses_total", { source: "a", cause: "known" }), 0);
  causes.add("known", 2);
  causes.add("new", 3);
  sources[0]!.level = -1;
  sources.push({ name: "b", count: 0, level: 0, causes: new Tally() });
  const after = new PrometheusText(await metrics.text());
  assert.equal(after.get("tickline_things_total", { source: "a" }), 1);
  assert.equal(after.get("tickline_things_total", { source: "b" }), 0);
  assert.equal(after.get("tickline_level", { source: "a" }), -1);
  assert.equal(after.get("tickline_losses_total", { source: "a", cause: "known" }), 2);
  assert.equal(after.get("tickline_losses_total", { source: "a", cause: "new" }), 3);
});

test("Metrics gives the lags of a histogram by limits", async () => {
  const lag = new LagHistogram();
  lag.add(0.3, 10);
  lag.add(4, 5);
  lag.add(10_000_000);
  lag.add(-1);
  const metrics = new Metrics();
  metrics.addLag("lag_seconds", "Lag.", () => lag);
  const text = new PrometheusText(await metrics.text());
  const upTo = (le: string) => text.get("tickline_lag_seconds_bucket", { le });
  assert.equal(text.metrics.get("tickline_lag_seconds")?.type, "histogram");
  assert.deepEqual(["0.00025", "0.0005", "0.0025", "0.005", "60", "+Inf"].map(upTo), [1, 11, 11, 16, 16, 17]);
  assert.equal(text.get("tickline_lag_seconds_count"), 17);
  assert.ok(Math.abs(text.get("tickline_lag_seconds_sum")! - 10_000.023) < 1e-6);
});

test("/metrics says what the actors of a process counted", { timeout: 60_000 }, async () => {
  const nats = await startNatsServer();
  after(() => nats.stop());
  const influxd = await startInfluxd();
  after(() => influxd.stop());
  const config = parseConfig({
    ...SECRETS,
    NATS_URL: nats.url,
    INFLUX_URL: influxd.url,
    METRICS_PORT: String(await freePort()),
    MARKETS: "sim:BTC-USDT,sim:ETH-USDT,sim:SOL-USDT",
    SHARDS: "2",
    INTERVALS: "1s,1m",
    CLOSE_DELAY: "50ms",
  });
  const market = await startOwnMarket(config);
  const stop = new AbortController();
  const setting = { config, log: createLog("error"), signal: stop.signal, ownsBroker: true };
  const observation = new Observation(stop.signal);
  const server = await serveObservation(observation, config);
  const answer = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${server?.port}${path}`);
    return { status: response.status, text: await response.text() };
  };
  const scrape = async () => new PrometheusText((await answer("/metrics")).text);
  const first = await scrape();
  assert.equal(first.get("tickline_ready"), 0);
  assert.ok(first.get("process_resident_memory_bytes")! > 0);

  const persist = await openPersist(setting);
  const kline = await openKline(setting);
  const ingest = await openIngest(setting, venueUrls(config, market));
  const roles = { ingest, kline, persist };
  observation.roles = roles;
  const running = runRoles(roles, setting.log, stop.signal, observation);
  await until("stored candles", () => statusOf(roles).candlesStored > 5, 20_000);

  // While it runs, an answer lies between what was counted before and after it.
  const earlier = statusOf(roles);
  const during = await scrape();
  const later = statusOf(roles);
  const accepted = during.get("tickline_ticks_accepted_total", { venue: "sim" })!;
  assert.ok(earlier.ticks <= accepted && accepted <= later.ticks);
  assert.equal(during.get("tickline_ready"), 1);
  assert.equal(during.get("tickline_feed_connected_markets", { venue: "sim" }), 3);
  // The ingest actor and what has it publish, two kline, two for ticks, one for candles; and one a role for the leases.
  assert.equal(during.sum("tickline_actor_ready"), 10);
  assert.equal(during.sum("tickline_bus_connected"), 3);
  assert.equal(during.sum("tickline_influx_up"), 2);
  assert.ok(Math.abs(during.get("tickline_venue_time_seconds", { venue: "sim" })! - Date.now() / 1_000) < 10);

  // The status view takes the lags away; the metric keeps them.
  observation.lags.take(roles);
  const kept = await scrape();
  const count = "tickline_tick_lag_seconds_count";
  assert.ok(kept.get(count)! >= during.get(count)! && during.get(count)! > 0);
  assert.ok(kept.get("tickline_tick_lag_seconds_sum")! >= during.get("tickline_tick_lag_seconds_sum")!);

  stop.abort();
  await running;
  await market?.stop();
  const { text } = await answer("/metrics");
  assert.equal((await answer("/readyz")).text, "the process is stopping\n");
  assert.equal((await answer("/livez")).status, 200);
  await server?.stop();

  const last = new PrometheusText(text);
  const status = statusOf(roles);
  const account = ingest.actors[0]!.account();
  const lag = observation.lags.all(roles);
  const outcome = (value: string) =>
    kline.actors.reduce((sum, { name }) => {
      return sum + last.get("tickline_kline_ticks_total", { actor: name, outcome: value })!;
    }, 0);
  const lines = (lane: string, value: string) =>
    last.get("tickline_influx_lines_total", { lane, outcome: value });
  assert.deepEqual(
    {
      ticks: last.get("tickline_ticks_accepted_total", { venue: "sim" }),
      inCandles: outcome("accepted") + outcome("late"),
      duplicates: last.get("tickline_ticks_duplicate_total", { venue: "sim" }),
      rejected: last.sum("tickline_ticks_rejected_total"),
      missing: last.get("tickline_ticks_missing", { venue: "sim" }),
      lost: last.get("tickline_lost_total"),
      unexplained: last.get("tickline_unexplained"),
      candlesClosed: last.sum("tickline_candles_closed_total"),
      candlesRevised: last.sum("tickline_candles_revised_total"),
      candlesStored: lines("candles", "stored"),
      ticksStored: lines("ticks", "stored"),
      pending: last.sum("tickline_influx_pending_lines"),
      lostByCause: status.lostByCause,
    },
    status,
  );
  const received = account.accepted + account.duplicates + account.rejected.total;
  assert.equal(last.get("tickline_ticks_received_total", { venue: "sim" }), received);
  assert.equal(last.get("tickline_feed_frames_total", { venue: "sim" }), account.frames);
  assert.equal(last.sum("tickline_ticks_published_total"), account.publishedTicks);
  assert.equal(last.get("tickline_tick_messages_stored_total"), ingest.storedMessages);
  assert.equal(last.sum("tickline_kline_messages_total"), ingest.storedMessages);
  assert.equal(last.get("tickline_candles_published_total"), kline.candles.stored);
  assert.equal(last.get("tickline_candles_pending"), 0);
  assert.equal(last.get("tickline_persist_candles_total"), persist.candleActor.status().received);
  assert.equal(last.get("tickline_feed_ends_total", { venue: "sim", cause: "stopped" }), 1);
  assert.equal(last.get(count), lag.count);
  assert.equal(last.get("tickline_tick_lag_seconds_bucket", { le: "+Inf" }), lag.count);
  assert.equal(last.sum("tickline_actor_events_total"), 0);
  assertWellNamed(last);
  const readme = readFileSync(new URL("../../src/observe/README.md", import.meta.url), "utf8");
  const described = [...readme.matchAll(/^\| `(tickline_[a-z_]+)(?:\{[a-z,]+\})?` /gm)].map(
    ([, name]) => name,
  );
  const served = [...last.metrics.keys()].filter((name) => name.startsWith("tickline_"));
  assert.deepEqual(described.sort(), served.sort());
  for (const secret of [SECRETS.INFLUX_PASSWORD, SECRETS.NATS_PASSWORD]) {
    assert.ok(!text.includes(secret), `"${secret}" is shown`);
  }
});

/** As promtool's lint asks for. */
function assertWellNamed({ metrics }: PrometheusText): void {
  const own = [...metrics].filter(([name]) => name.startsWith("tickline_"));
  assert.ok(own.length > 40);
  for (const [name, { type, help }] of own) {
    assert.match(name, /^[a-z]+(_[a-z]+)+$/);
    assert.equal(name.endsWith("_total"), type === "counter", `${name} is a ${type}`);
    assert.doesNotMatch(name, /_(ms|us|count|sum|bucket|milliseconds)$/);
    assert.match(help, /^\S.*\.$/, `help of ${name}`);
  }
}
