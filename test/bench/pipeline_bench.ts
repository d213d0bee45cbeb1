import { describeMachine, printTable } from "./machine.ts";
import { type PipelineRun, runPipeline } from "./pipeline_run.ts";

/**
 * The whole pipeline in processes of its own: a venue's WebSocket frames to candles in InfluxDB, at rising rates.
 * `RATES` (trades/s, comma-separated) and `SECONDS` change what is measured.
 */

const DEFAULT_RATES = "1000,10000,50000,80000,120000,160000";
const rates = (process.env.RATES ?? DEFAULT_RATES).split(",").map(Number);
const seconds = Number(process.env.SECONDS ?? 20);
const WARM_SECONDS = 8;
/** Highest rate at which tick history is stored as well: InfluxDB takes most of a core at 50,000 a second. */
const MAX_HISTORY_RATE = 50_000;

async function measure(persistTicks: boolean): Promise<PipelineRun[]> {
  const runs: PipelineRun[] = [];
  for (const tradesPerSecond of rates) {
    if (persistTicks && tradesPerSecond > MAX_HISTORY_RATE) continue;
    const run = await runPipeline({ tradesPerSecond, persistTicks, warmSeconds: WARM_SECONDS, seconds });
    runs.push(run);
  }
  return runs;
}

function print(title: string, runs: readonly PipelineRun[]): void {
  process.stdout.write(`${title}\n${describeMachine()}\n\n`);
  const names = Object.keys(runs[0]?.cpuUs ?? {});
  printTable(
    [
      "trades/s",
      "lag p50 / p99, ms",
      "max by 5 s, ms",
      "venue to ingest, ms",
      "missing",
      "CPU µs a trade",
      ...names,
      "RSS MiB",
    ],
    runs.map(({ tradesPerSecond, lags, receiveLagMs, missing, cpuUs, rssMiB }) => [
      tradesPerSecond.toLocaleString("en-US"),
      `${worst(lags.map(({ p50Ms }) => p50Ms))} / ${worst(lags.map(({ p99Ms }) => p99Ms))}`,
      lags.map(({ maxMs }) => maxMs.toFixed(0)).join(" "),
      receiveLagMs.toFixed(1),
      String(missing),
      Object.values(cpuUs)
        .reduce((sum, us) => sum + us, 0)
        .toFixed(1),
      ...names.map((name) => cpuUs[name]!.toFixed(1)),
      names.map((name) => `${name} ${rssMiB[name]!.toFixed(0)}`).join(", "),
    ]),
  );
}

function worst(figures: readonly number[]): string {
  return Math.max(...figures).toString();
}

print(`Pipeline, 50 markets, default intervals, ${seconds} s a rate, tick history off`, await measure(false));
print(`Pipeline, 50 markets, default intervals, ${seconds} s a rate, tick history on`, await measure(true));
