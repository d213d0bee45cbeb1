import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { duration } from "../../src/config/quantities.ts";
import { BenchStage } from "./bench_stage.ts";
import { describeMachine } from "./machine.ts";
import { drawOverload, judgeOverload, type OverloadPhase, printOverload } from "./overload_report.ts";
import { OverloadSampler } from "./overload_sampler.ts";

/**
 * More trades than can be taken: all of the pipeline on one core, the venue on another one. First it finds the rate that
 * this core sustains, or takes `RATE` (trades/s); then come once, twice and four times that rate, and a flood of ten
 * times. `TICK_MAX_LAG` (2s) is the bound. Draws `overload.svg` beside this file.
 */

const PIPELINE_CORE = 0;
const VENUE_CORE = 1;
const FIRST_RATE = 10_000;
const RAMP_STEP = 1.3;
const RAMP_MS = 6_000;
/** Above this the newest trade in a candle is too old for a rate to be sustained, ms. */
const SUSTAINED_AGE_MS = 400;
const REST_MS = 10_000;
const PHASES = [
  { factor: 1, lengthMs: 20_000 },
  { factor: 2, lengthMs: 25_000 },
  { factor: 4, lengthMs: 25_000 },
  { factor: 1, lengthMs: 15_000 },
  { factor: 10, lengthMs: 30_000 },
  { factor: 1, lengthMs: 25_000 },
];

const maxLag = process.env.TICK_MAX_LAG || "2s";
const maxLagMs = duration({ min: "1ms", max: "1d" }).parse(maxLag);
const machine = describeMachine();
const stage = await BenchStage.start({
  tradesPerSecond: FIRST_RATE,
  // Fixed shards: a starved worker that lost a lease would read again, and count again, what it had skipped.
  env: { TICK_MAX_LAG: maxLag, SHARD: "0-7" },
  cores: { pipeline: PIPELINE_CORE, venue: VENUE_CORE },
});
const setRate = (rate: number) => stage.venue.write(String(Math.round(rate)));
const sustained = Number(process.env.RATE) || (await findSustained());
process.stdout.write(`sustained: ${sustained.toLocaleString("en-US")} trades/s\n`);

const sampler = await OverloadSampler.start(stage);
const phases: OverloadPhase[] = [];
for (const { factor, lengthMs } of PHASES) {
  const fromMs = sampler.elapsedMs;
  setRate(factor * sustained);
  const samples = await sampler.sampleFor(lengthMs);
  phases.push({ factor, fromMs, toMs: sampler.elapsedMs, samples });
}
const sent = await stage.endTrading();
await sampler.sampleFor(2 * maxLagMs + REST_MS);
// What the venue tells while it trades is a tenth of a second old.
const counts = { ...(await sampler.sample()).counts, sent };
await sampler.close();
await stage.stop();

const run = { sustained, maxLagMs, machine, phases, counts };
const verdict = judgeOverload(run);
printOverload(run, verdict);
await writeFile(fileURLToPath(new URL("overload.svg", import.meta.url)), drawOverload(run));
process.exitCode = verdict.isGood ? 0 : 1;

/** The highest rate of a ramp at which candles stay young and nothing is shed. */
async function findSustained(): Promise<number> {
  const ramp = await OverloadSampler.start(stage);
  let sustainedRate = FIRST_RATE;
  for (let rate = FIRST_RATE; ; rate = Math.round(rate * RAMP_STEP)) {
    setRate(rate);
    const samples = await ramp.sampleFor(RAMP_MS);
    const settled = samples.slice(Math.floor(samples.length / 2));
    const [first, last] = [samples[0]!.counts, samples.at(-1)!.counts];
    const isShed =
      last.missing > first.missing ||
      last.skipped > first.skipped ||
      last.historySkipped > first.historySkipped;
    const ageMs = Math.max(...settled.map(({ ageP50Ms }) => ageP50Ms));
    process.stdout.write(
      `  ${rate.toLocaleString("en-US")} trades/s: ${ageMs.toFixed(0)} ms${isShed ? ", shed" : ""}\n`,
    );
    if (isShed || !(ageMs < SUSTAINED_AGE_MS)) break;
    sustainedRate = rate;
  }
  setRate(FIRST_RATE);
  await ramp.sampleFor(REST_MS);
  await ramp.close();
  return sustainedRate;
}
