import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startInfluxd } from "../../src/servers/influxd.ts";
import { startNatsServer } from "../../src/servers/nats_server.ts";
import { freePort } from "../../src/servers/port.ts";
import { createInfluxClient } from "../../src/store/provision.ts";
import { BenchProcess, type LagLine, TICKLINE, TYPESCRIPT } from "./pipeline_processes.ts";
import { cpuSeconds, rssMiB } from "./process_usage.ts";

const MARKETS = 50;
const VENUE = fileURLToPath(new URL("steady_venue.ts", import.meta.url));
const STORED_DEADLINE_MS = 60_000;
/** Status lines come this often. */
const STATUS_MS = 5_000;

export interface PipelineRunOptions {
  readonly tradesPerSecond: number;
  readonly persistTicks: boolean;
  readonly warmSeconds: number;
  readonly seconds: number;
  /** More settings of ingest and workers. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What one run measured, after it was warm. */
export interface PipelineRun {
  readonly tradesPerSecond: number;
  /** Trades that the venue sent but did not find in stored candles. */
  readonly missing: number;
  /** By status interval. */
  readonly lags: readonly LagLine[];
  /** Longest that a trade waited on its way from the venue to the ingest process, of samples, ms. */
  readonly receiveLagMs: number;
  /** CPU µs per trade of each process. */
  readonly cpuUs: Readonly<Record<string, number>>;
  /** Largest memory of each process, MiB. */
  readonly rssMiB: Readonly<Record<string, number>>;
}

/** Runs the venue, both servers, an ingest and a worker process, and looks at them from outside. */
export async function runPipeline(options: PipelineRunOptions): Promise<PipelineRun> {
  const { tradesPerSecond, warmSeconds, seconds } = options;
  const bases = Array.from({ length: MARKETS }, (_, index) => `C${index}`);
  const nats = await startNatsServer();
  const influxd = await startInfluxd();
  const venue = new BenchProcess([
    ...TYPESCRIPT,
    VENUE,
    bases.map((base) => `${base}USDT`).join(","),
    String(tradesPerSecond),
  ]);
  const [, url] = await venue.line(/"url":"([^"]+)"/);
  const metricsPort = await freePort();
  const env = {
    NATS_URL: nats.url,
    INFLUX_URL: influxd.url,
    BINANCE_WS_URL: url!,
    MARKETS: bases.map((base) => `binance:${base}-USDT`).join(","),
    PERSIST_TICKS: String(options.persistTicks),
    // The venue goes first at the end, which ingest has to say.
    LOG_LEVEL: "error",
    ...options.env,
  };
  const workers = new BenchProcess([...TICKLINE, "run-workers"], env);
  const ingest = new BenchProcess([...TICKLINE, "run-ingest"], {
    ...env,
    METRICS_PORT: String(metricsPort),
  });
  const pids = { ingest: ingest.pid, workers: workers.pid, "nats-server": nats.pid!, influxd: influxd.pid! };
  const rss: Record<string, number> = {};
  await workers.line(/ticks\/s [1-9]/);
  await delay(warmSeconds * 1_000);
  const linesBefore = workers.lags().length;
  const before = usage(pids);
  const startMs = performance.now();
  let receiveLagMs = 0;
  while (performance.now() - startMs < seconds * 1_000) {
    await delay(500);
    receiveLagMs = Math.max(receiveLagMs, await receiveLag(metricsPort));
    for (const [name, pid] of Object.entries(pids)) rss[name] = Math.max(rss[name] ?? 0, rssMiB(pid));
  }
  const trades = ((performance.now() - startMs) / 1_000) * tradesPerSecond;
  const after = usage(pids);
  const lags = workers.lags().slice(linesBefore);
  venue.endInput();
  const [, sentText] = await venue.line(/"sent":(\d+)/);
  const missing = await untilStored(influxd.url, Number(sentText));
  await Promise.all([ingest.stop(), venue.stop()]);
  await workers.stop();
  await nats.stop();
  await influxd.stop();
  const cpuUs = Object.fromEntries(
    Object.keys(pids).map((name) => [name, ((after[name]! - before[name]!) * 1e6) / trades]),
  );
  return { tradesPerSecond, missing, lags, receiveLagMs, cpuUs, rssMiB: rss };
}

function usage(pids: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, cpuSeconds(pid)]));
}

/** From the venue's sending of the latest trade to its receipt, ms; both clocks are the machine's. */
async function receiveLag(port: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  const match = /^tickline_venue_receive_lag_seconds\{[^}]*\} (\S+)$/m.exec(await response.text());
  return Number(match?.[1] ?? 0) * 1_000;
}

/** Waits until the stored 1 s candles have all trades; how many are missing after a while. */
async function untilStored(url: string, sent: number): Promise<number> {
  const client = createInfluxClient({ url, database: "market" });
  const deadlineMs = performance.now() + STORED_DEADLINE_MS;
  let stored = 0;
  while (stored < sent && performance.now() < deadlineMs) {
    await delay(STATUS_MS / 10);
    const rows = await client.query<{ sum: number }>(
      `SELECT sum("trades") FROM candles WHERE "interval" = '1s'`,
    );
    stored = rows[0]?.sum ?? 0;
  }
  return sent - stored;
}
