import assert from "node:assert/strict";
import { createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { startInfluxd } from "../../src/servers/influxd.ts";
import { startNatsServer } from "../../src/servers/nats_server.ts";
import { freePort } from "../../src/servers/port.ts";
import { until } from "../pipeline/harness.ts";
import { Command } from "../run/command.ts";
import { PrometheusText } from "./prometheus_text.ts";

const DEADLINE_MS = 30_000;
const PASSWORDS = {
  NATS_USER: "u",
  NATS_PASSWORD: "swordfish",
  INFLUX_USERNAME: "u",
  INFLUX_PASSWORD: "hunter2",
};

test("a process is alive but not ready until its servers are there, and again whenever they are not", async (t) => {
  const ports = { nats: await freePort(), influx: await freePort() };
  const env = {
    ...PASSWORDS,
    NATS_URL: `nats://127.0.0.1:${ports.nats}`,
    INFLUX_URL: `http://127.0.0.1:${ports.influx}`,
    MARKETS: "sim:BTC-USDT",
    SHARDS: "1",
    INTERVALS: "1s",
  };
  const workers = await startObserved(t, "run-workers", env);
  const ingest = await startObserved(t, "run-ingest", env);
  for (const { probe } of [workers, ingest]) {
    assert.deepEqual(await probe("/livez"), { status: 200, text: "ok\n" });
    assert.deepEqual(await probe("/readyz"), {
      status: 503,
      text: "the process is starting and waits for NATS or InfluxDB\n",
    });
    assert.equal(new PrometheusText((await probe("/metrics")).text).get("tickline_ready"), 0);
  }

  const influxd = await startInfluxd({ port: ports.influx });
  t.after(() => influxd.stop());
  const nats = await startNatsServer({ port: ports.nats });
  t.after(() => nats.stop());
  await Promise.all([workers.becomes(/^ready$/m), ingest.becomes(/^ready$/m)]);

  nats.kill("SIGKILL");
  await Promise.all([
    ingest.becomes(/^NATS is not connected, for ingest$/m),
    workers.becomes(/^NATS is not connected, for persist\nNATS is not connected, for kline$/m),
  ]);
  assert.equal((await workers.probe("/livez")).status, 200);
  await nats.restart();
  await Promise.all([workers.becomes(/^ready$/m), ingest.becomes(/^ready$/m)]);

  influxd.kill("SIGKILL");
  await workers.becomes(/^InfluxDB does not take candles: network: ECONNREFUSED$/m);
  assert.equal((await ingest.probe("/readyz")).status, 200);
  await influxd.restart();
  await workers.becomes(/^ready$/m);

  const scraped = [await ingest.probe("/metrics"), await workers.probe("/metrics")].map(({ text }) => text);
  const [ofIngest, ofWorkers] = scraped.map((text) => new PrometheusText(text));
  assert.ok(ofIngest!.get("tickline_bus_events_total", { role: "ingest", event: "reconnect" })! > 0);
  assert.ok(!ofIngest!.metrics.has("tickline_candles_closed_total"), "ingest makes no candles");
  assert.ok(ofWorkers!.get("tickline_influx_retries_total", { lane: "candles", cause: "network" })! > 0);
  for (const { command } of [ingest, workers]) command.send("SIGTERM");
  for (const { command, port } of [ingest, workers]) {
    assert.deepEqual(await command.ends(), { code: 0, signal: null });
    await assert.rejects(fetch(`http://127.0.0.1:${port}/livez`), "the port is closed");
  }
  const shown = [...scraped, ...[ingest, workers].flatMap(({ command }) => [command.stdout, command.stderr])];
  assert.doesNotMatch(shown.join("\n"), /swordfish|hunter2/);
});

test("make run shows itself on METRICS_PORT, and its numbers lead up to the summary", async (t) => {
  const run = await startObserved(t, "run", { MARKETS: "sim:BTC-USDT", SHARDS: "1", INTERVALS: "1s" });
  await run.becomes(/^ready$/m);
  let stored = 0;
  const scrape = async () => new PrometheusText((await run.probe("/metrics")).text);
  await until(
    "a stored candle",
    async () => {
      const labels = { lane: "candles", outcome: "stored" };
      stored = (await scrape()).get("tickline_influx_lines_total", labels)!;
      return stored > 0;
    },
    DEADLINE_MS,
  );
  const accepted = (await scrape()).get("tickline_ticks_accepted_total", { venue: "sim" })!;
  run.command.send("SIGTERM");
  assert.deepEqual(await run.command.ends(), { code: 0, signal: null });
  const [, ticks, candles] = /ticks in +([\d,]+).*candles stored +([\d,]+)/s.exec(run.command.stdout) ?? [];
  assert.ok(numberOf(ticks) >= accepted && accepted > 0, `${accepted} ticks, then ${ticks}`);
  assert.ok(numberOf(candles) >= stored, `${stored} candles, then ${candles}`);
});

test("a taken METRICS_PORT is said in one line", async (t) => {
  const occupant = createServer();
  t.after(() => occupant.close());
  await new Promise<void>((resolve) => occupant.listen(0, "127.0.0.1", resolve));
  const { port } = occupant.address() as { port: number };
  const command = new Command(t, "run-workers", { METRICS_PORT: String(port) });
  assert.deepEqual(await command.ends(), { code: 2, signal: null });
  assert.equal(
    command.stderr,
    `METRICS_PORT: "${port}" cannot be opened at HTTP_HOST "127.0.0.1" (EADDRINUSE); allowed: a free port, or 0 for none\n`,
  );
  assert.equal(command.stdout, "");
});

/** A command with a port of its own for probes, which is open already. */
async function startObserved(t: TestContext, name: string, env: Readonly<Record<string, string>>) {
  const port = await freePort();
  const command = new Command(t, name, { ...env, METRICS_PORT: String(port) });
  const probe = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: response.status, text: await response.text() };
  };
  const isOpen = () =>
    probe("/livez").then(
      () => true,
      () => false,
    );
  await until(`"${name}" to open its port`, isOpen, DEADLINE_MS);
  return {
    command,
    port,
    probe,
    /** Waits until the command says so about its readiness. */
    async becomes(pattern: RegExp) {
      let answer = { status: 0, text: "" };
      const isSo = async () => {
        answer = await probe("/readyz");
        return pattern.test(answer.text);
      };
      await until(`"${name}" to become ${pattern}`, isSo, DEADLINE_MS).catch((cause: unknown) => {
        throw new Error(`it says ${answer.text}\n${command.stderr}`, { cause });
      });
      assert.equal(answer.status, pattern.test("ready") ? 200 : 503);
    },
  };
}

function numberOf(text = ""): number {
  return Number(text.replaceAll(",", ""));
}
