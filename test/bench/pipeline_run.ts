import { setTimeout as delay } from "node:timers/promises";
import { scrape } from "../observe/prometheus_text.ts";
import { BenchStage } from "./bench_stage.ts";
import type { LagLine } from "./pipeline_processes.ts";
import { cpuSeconds } from "./process_usage.ts";

const SAMPLE_MS = 500;

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
  /** Trades that came once ingest published, and are in no stored candle. */
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
  const env = { PERSIST_TICKS: String(options.persistTicks), ...options.env };
  const stage = await BenchStage.start({ tradesPerSecond, env });
  const { pids, workers } = stage;
  const rss: Record<string, number> = {};
  await delay(warmSeconds * 1_000);
  const linesBefore = workers.lags().length;
  const before = usage(pids);
  const startMs = performance.now();
  let receiveLagMs = 0;
  while (performance.now() - startMs < seconds * 1_000) {
    await delay(SAMPLE_MS);
    receiveLagMs = Math.max(receiveLagMs, await receiveLag(stage.ports.ingest));
    for (const [name, mib] of Object.entries(stage.rssMiB())) rss[name] = Math.max(rss[name] ?? 0, mib);
  }
  const trades = ((performance.now() - startMs) / 1_000) * tradesPerSecond;
  const after = usage(pids);
  const lags = workers.lags().slice(linesBefore);
  const sent = await stage.endTrading();
  // Before it has its lease, which nobody had before on a new broker, ingest keeps only so many trades.
  const passed = (await scrape(stage.ports.ingest)).sum("tickline_ticks_passed_total");
  const missing = await stage.untilStored(sent - passed);
  await stage.stop();
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
  return (await scrape(port)).sum("tickline_venue_receive_lag_seconds") * 1_000;
}
