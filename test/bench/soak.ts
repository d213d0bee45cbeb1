import { writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { duration } from "../../src/config/quantities.ts";
import { scrape } from "../observe/prometheus_text.ts";
import { BenchStage } from "./bench_stage.ts";
import { describeMachine } from "./machine.ts";
import { drawSoak, judgeSoak, type MemorySample, printSoak } from "./soak_report.ts";

/**
 * The whole pipeline, tick history included, for a long time at one rate: memory and lag must stay flat, and nothing
 * may be lost. `DURATION` and `RATE` (trades/s) change what is run. Draws `soak.svg` beside this file.
 */

const SAMPLE_MS = 5_000;
/** Metrics that count what is lost, by process. */
const LOSSES = {
  ingest: ["tickline_ticks_missing", "tickline_ticks_dropped_total", "tickline_tick_messages_dropped_total"],
  workers: ["tickline_lost_total", "tickline_persist_lost_messages_total"],
};

const tradesPerSecond = Number(process.env.RATE || 5_000);
const lengthMs = duration({ min: "30s", max: "7d" }).parse(process.env.DURATION || "20m");
const machine = describeMachine();
const stage = await BenchStage.start({ tradesPerSecond });
const linesBefore = stage.workers.lags().length;
const memory: MemorySample[] = [];
const startMs = performance.now();
while (performance.now() - startMs < lengthMs) {
  memory.push({ atMs: performance.now() - startMs, rssMiB: stage.rssMiB() });
  await delay(SAMPLE_MS);
}
const lags = stage.workers.lags().slice(linesBefore);
const sent = await stage.endTrading();
const notStored = await stage.untilStored(sent);
let lost = 0;
for (const process of ["ingest", "workers"] as const) {
  const metrics = await scrape(stage.ports[process]);
  for (const name of LOSSES[process]) lost += metrics.sum(name);
}
await stage.stop();

const run = { tradesPerSecond, lengthMs, machine, sent, notStored, lost, memory, lags };
const verdict = judgeSoak(run);
printSoak(run, verdict);
await writeFile(fileURLToPath(new URL("soak.svg", import.meta.url)), drawSoak(run));
process.exitCode = verdict.isGood ? 0 : 1;
