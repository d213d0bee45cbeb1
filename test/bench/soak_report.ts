import { drawChart } from "./chart.ts";
import { median, printTable } from "./machine.ts";
import type { LagLine } from "./pipeline_processes.ts";

/** Memory is judged after this time, or half of a shorter run: until then come trades that may yet amend candles. */
const WARM_MS = 7 * 60_000;
/** Its memory follows what it stores and when it compacts that: it is shown, and not judged. */
const NOT_JUDGED = "influxd";
const MS_PER_MINUTE = 60_000;
const MS_PER_HOUR = 3_600_000;
/** A process that gains more than this share of its memory in an hour, and so much, MiB, is not flat. */
const MAX_GROWTH_PER_HOUR = 0.2;
const NOTHING_MIB = 10;
/** What the lags of the last third may be over those of the first, and what is too little to tell, ms. */
const MAX_LAG_GROWTH = 2;
const NO_LAG_MS = 10;

/** Memory of each process at a time of the run. */
export interface MemorySample {
  readonly atMs: number;
  readonly rssMiB: Readonly<Record<string, number>>;
}

/** What a soak measured. */
export interface SoakRun {
  readonly tradesPerSecond: number;
  readonly lengthMs: number;
  readonly machine: string;
  /** Trades that the venue sent, and those of them that are in no stored candle. */
  readonly sent: number;
  readonly notStored: number;
  /** What the processes counted as lost, all causes. */
  readonly lost: number;
  readonly memory: readonly MemorySample[];
  /** Of equal parts of the run, in order. */
  readonly lags: readonly LagLine[];
}

/** Memory of a process once it was warm, MiB. */
interface MemoryVerdict {
  readonly name: string;
  readonly firstMiB: number;
  readonly lastMiB: number;
  readonly mostMiB: number;
  /** Slope of the line that fits best. */
  readonly perHourMiB: number;
  readonly isFlat: boolean;
}

export interface SoakVerdict {
  readonly memory: readonly MemoryVerdict[];
  /** The middle of each quantile over the intervals of a third of the run, and the longest lag. */
  readonly thirds: readonly LagLine[];
  readonly isLagFlat: boolean;
  readonly isGood: boolean;
}

export function judgeSoak({ memory: samples, lengthMs, lags, lost, notStored }: SoakRun): SoakVerdict {
  const warm = samples.filter(({ atMs }) => atMs >= Math.min(WARM_MS, lengthMs / 2));
  const memory = processesOf(samples).map((name) => judgeMemory(name, warm));
  const third = Math.floor(lags.length / 3);
  const thirds = [lags.slice(0, third), lags.slice(third, -third), lags.slice(-third)].map((part) => ({
    p50Ms: median(part.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(part.map(({ p99Ms }) => p99Ms)),
    maxMs: Math.max(...part.map(({ maxMs }) => maxMs)),
  }));
  const [first, , last] = thirds;
  const grows = (field: "p50Ms" | "p99Ms") =>
    last![field] > Math.max(NO_LAG_MS, MAX_LAG_GROWTH * first![field]);
  const isLagFlat = !grows("p50Ms") && !grows("p99Ms");
  const isGood = memory.every(({ isFlat }) => isFlat) && isLagFlat && lost === 0 && notStored === 0;
  return { memory, thirds, isLagFlat, isGood };
}

function judgeMemory(name: string, samples: readonly MemorySample[]): MemoryVerdict {
  const rss = samples.map(({ rssMiB }) => rssMiB[name]!);
  const perHourMiB = slope(samples.map(({ atMs }, index) => [atMs / MS_PER_HOUR, rss[index]!]));
  const isFlat = name === NOT_JUDGED || perHourMiB <= Math.max(NOTHING_MIB, MAX_GROWTH_PER_HOUR * rss[0]!);
  return { name, firstMiB: rss[0]!, lastMiB: rss.at(-1)!, mostMiB: Math.max(...rss), perHourMiB, isFlat };
}

function processesOf(samples: readonly MemorySample[]): string[] {
  return Object.keys(samples[0]!.rssMiB);
}

/** Slope of the line that fits points best. */
function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
  const together = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return together / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}

export function printSoak(run: SoakRun, { memory, thirds, isLagFlat, isGood }: SoakVerdict): void {
  process.stdout.write(`${titleOf(run)}: ${whole(run.sent)} trades\n${run.machine}\n\n`);
  printTable(
    ["process", "RSS once warm, MiB", "at the end", "most", "trend, MiB/h", "verdict"],
    memory.map(({ name, firstMiB, lastMiB, mostMiB, perHourMiB, isFlat }) => [
      name,
      ...[firstMiB, lastMiB, mostMiB, perHourMiB].map((figure) => figure.toFixed(0)),
      name === NOT_JUDGED ? "-" : isFlat ? "flat" : "grows",
    ]),
  );
  printTable(
    ["third", "lag p50, ms", "p99, ms", "longest, ms"],
    thirds.map(({ p50Ms, p99Ms, maxMs }, index) => [
      ["first", "second", "last"][index]!,
      p50Ms.toFixed(2),
      p99Ms.toFixed(2),
      maxMs.toFixed(0),
    ]),
  );
  process.stdout.write(
    `lag ${isLagFlat ? "flat" : "grows"}, lost ${run.lost}, in no stored candle ${run.notStored}: ` +
      `${isGood ? "passed" : "FAILED"}\n`,
  );
}

/** Memory and lag over time, as SVG. */
export function drawSoak(run: SoakRun): string {
  const { lengthMs, memory, lags } = run;
  const lagNames = { p50Ms: "median", p99Ms: "99 %", maxMs: "longest" };
  const intervalMinutes = lengthMs / lags.length / MS_PER_MINUTE;
  return drawChart({
    title: titleOf(run),
    xTitle: "minutes",
    panels: [
      {
        title: "Memory (RSS) of each process, MiB",
        series: processesOf(memory).map((name) => ({
          name,
          points: memory.map(({ atMs, rssMiB }) => [atMs / MS_PER_MINUTE, rssMiB[name]!] as const),
        })),
      },
      {
        title: "Lag of every 5 s, from the receipt of a frame to its candle, ms",
        scale: "log",
        series: (["p50Ms", "p99Ms", "maxMs"] as const).map((field) => ({
          name: lagNames[field],
          points: lags.map((lag, index) => [(index + 1) * intervalMinutes, lag[field]] as const),
        })),
      },
    ],
  });
}

function titleOf({ tradesPerSecond, lengthMs }: SoakRun): string {
  return `${whole(tradesPerSecond)} trades/s for ${(lengthMs / MS_PER_MINUTE).toFixed(0)} minutes, tick history on`;
}

function whole(value: number): string {
  return value.toLocaleString("en-US");
}
