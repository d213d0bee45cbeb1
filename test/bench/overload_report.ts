import { drawChart } from "./chart.ts";
import { median, printTable } from "./machine.ts";
import type { OverloadSample, TradeCounts } from "./overload_sampler.ts";

/** How fast lag grew in the old Celery design at 1.7 times what it sustained, s a second. */
const CELERY_GROWTH = 0.7;
/** What the bound may be exceeded by, ms: the sample that tells, a new connection, and ten live candles a second. */
const SLACK_MS = 1_500;
/** The first seconds of a phase are those of the one before. */
const SETTLE_MS = 3_000;
/** What the streams in memory may hold, MiB: TICKS, LIVE and LEASES. */
const STREAMS_MIB = 256 + 64 + 8;
/**
 * Memory that a process may take whatever the load, MiB. For NATS that is twice its streams, for Go collects garbage when
 * the heap has doubled, and what it takes without them.
 */
const MAX_RSS_MIB: Readonly<Record<string, number>> = {
  ingest: 200,
  workers: 450,
  "nats-server": 2 * STREAMS_MIB + 100,
};
const MS_PER_S = 1_000;

/** A time in which the venue sent a multiple of the sustained rate. */
export interface OverloadPhase {
  readonly factor: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly samples: readonly OverloadSample[];
}

export interface OverloadRun {
  /** Trades a second. */
  readonly sustained: number;
  readonly maxLagMs: number;
  readonly machine: string;
  readonly phases: readonly OverloadPhase[];
  /** When all was over. */
  readonly counts: TradeCounts;
}

export interface OverloadVerdict {
  /** Whether no trade in a candle was ever much older than the bound for the way to ingest and the one from it. */
  readonly isBounded: boolean;
  /** Whether the candles are young again at the end. */
  readonly hasRecovered: boolean;
  readonly isMemoryFlat: boolean;
  /** Trades of which no counter says what became of them. */
  readonly unexplained: number;
  readonly isGood: boolean;
}

export function judgeOverload({ phases, maxLagMs, counts }: OverloadRun): OverloadVerdict {
  const samples = phases.flatMap((phase) => phase.samples);
  const isBounded = samples.every(({ ageP50Ms }) => !(ageP50Ms > 2 * maxLagMs + SLACK_MS));
  const last = phases.at(-1)!;
  const hasRecovered = median(settled(last).map(({ ageP50Ms }) => ageP50Ms)) < maxLagMs / 2;
  const isMemoryFlat = Object.entries(MAX_RSS_MIB).every(([name, mostMiB]) =>
    samples.every(({ rssMiB }) => rssMiB[name]! <= mostMiB),
  );
  const { sent, accepted, missing, dropped, inCandles, skipped } = counts;
  const unexplained =
    Math.abs(sent - accepted - missing) + Math.abs(accepted - dropped - inCandles - skipped);
  const isGood = isBounded && hasRecovered && isMemoryFlat && unexplained === 0;
  return { isBounded, hasRecovered, isMemoryFlat, unexplained, isGood };
}

function settled({ samples, fromMs }: OverloadPhase): readonly OverloadSample[] {
  return samples.filter(({ atMs }) => atMs >= fromMs + SETTLE_MS);
}

export function printOverload(run: OverloadRun, verdict: OverloadVerdict): void {
  process.stdout.write(`${titleOf(run)}\n${run.machine}\n\n`);
  printTable(
    [
      "load",
      "trades/s sent",
      "in candles",
      "shed before ingest",
      "shed by workers",
      "age p50, s",
      "p99",
      "max",
      "lag p50, s",
      "p99",
      "RSS MiB",
    ],
    run.phases.map((phase) => {
      const samples = settled(phase);
      const [first, last] = [samples[0]!, samples.at(-1)!];
      const perSecond = (count: (counts: TradeCounts) => number) => {
        const seconds = (last.atMs - first.atMs) / MS_PER_S;
        return whole((count(last.counts) - count(first.counts)) / seconds);
      };
      const typical = (field: "ageP50Ms" | "ageP99Ms" | "lagP50Ms" | "lagP99Ms") =>
        seconds(median(samples.map((sample) => sample[field])));
      return [
        `${phase.factor}×`,
        perSecond(({ sent }) => sent),
        perSecond(({ inCandles }) => inCandles),
        perSecond(({ missing, dropped }) => missing + dropped),
        perSecond(({ skipped }) => skipped),
        typical("ageP50Ms"),
        typical("ageP99Ms"),
        seconds(Math.max(...samples.map(({ ageMaxMs }) => ageMaxMs || 0))),
        typical("lagP50Ms"),
        typical("lagP99Ms"),
        Object.values(last.rssMiB)
          .map((mib) => mib.toFixed(0))
          .join(" + "),
      ];
    }),
  );
  const { sent, accepted, missing, dropped, inCandles, skipped, staleFeeds, stored, historySkipped } =
    run.counts;
  process.stdout.write(
    `sent ${whole(sent)} = missing ${whole(missing)} (${staleFeeds} stale connections) + dropped ${whole(dropped)} + ` +
      `in candles ${whole(inCandles)} + skipped ${whole(skipped)} + unexplained ${whole(verdict.unexplained)}\n` +
      `history: stored ${whole(stored)}, skipped ${whole(historySkipped)} of ${whole(accepted)}\n` +
      `age ${verdict.isBounded ? "bounded" : "NOT BOUNDED"}, ${verdict.hasRecovered ? "recovered" : "NOT RECOVERED"}, ` +
      `memory ${verdict.isMemoryFlat ? "flat" : "GROWS"}: ${verdict.isGood ? "passed" : "FAILED"}\n`,
  );
}

/** Age, lag, rates and memory over time, as SVG. */
export function drawOverload(run: OverloadRun): string {
  const samples = run.phases.flatMap((phase) => phase.samples);
  const over = run.phases.find(({ factor }) => factor > 1)!;
  const endS = samples.at(-1)!.atMs / MS_PER_S;
  const maxLagS = run.maxLagMs / MS_PER_S;
  const maxY = 3 * maxLagS;
  const points = (value: (sample: OverloadSample) => number) =>
    samples
      .map((sample) => [sample.atMs / MS_PER_S, value(sample)] as const)
      .filter(([, y]) => Number.isFinite(y));
  const rate = (count: (counts: TradeCounts) => number) =>
    samples.slice(1).map((sample, index) => {
      const before = samples[index]!;
      const perSecond =
        ((count(sample.counts) - count(before.counts)) * MS_PER_S) / (sample.atMs - before.atMs);
      return [sample.atMs / MS_PER_S, Math.max(0, perSecond) / 1_000] as const;
    });
  const fromS = over.fromMs / MS_PER_S;
  const celery = {
    name: "Celery design, 1.7×",
    isReference: true,
    points: [
      [fromS, 0],
      [Math.min(endS, fromS + maxY / CELERY_GROWTH), Math.min(maxY, (endS - fromS) * CELERY_GROWTH)],
    ] as const,
  };
  const limit = {
    name: "TICK_MAX_LAG",
    isReference: true,
    points: [
      [samples[0]!.atMs / MS_PER_S, maxLagS],
      [endS, maxLagS],
    ] as const,
  };
  return drawChart({
    title: titleOf(run),
    xTitle: "seconds",
    phases: run.phases.map(({ factor, fromMs, toMs }) => ({
      name: `${factor}×`,
      fromX: fromMs / MS_PER_S,
      toX: toMs / MS_PER_S,
    })),
    panels: [
      {
        title: "Age of candles, s",
        maxY,
        series: [
          { name: "median", points: points(({ ageP50Ms }) => ageP50Ms / MS_PER_S) },
          { name: "longest", points: points(({ ageMaxMs }) => ageMaxMs / MS_PER_S) },
          limit,
          celery,
        ],
      },
      {
        title: "Lag, s",
        maxY,
        series: [
          { name: "median", points: points(({ lagP50Ms }) => lagP50Ms / MS_PER_S) },
          { name: "99 %", points: points(({ lagP99Ms }) => lagP99Ms / MS_PER_S) },
          limit,
        ],
      },
      {
        title: "1,000/s",
        series: [
          { name: "sent by the venue", points: rate(({ sent }) => sent) },
          { name: "in candles", points: rate(({ inCandles }) => inCandles) },
          { name: "shed before ingest", points: rate(({ missing, dropped }) => missing + dropped) },
          { name: "skipped by workers", points: rate(({ skipped }) => skipped) },
        ],
      },
      {
        title: "RSS, MiB",
        series: Object.keys(samples[0]!.rssMiB).map((name) => ({
          name,
          points: points(({ rssMiB }) => rssMiB[name]!),
        })),
      },
    ],
  });
}

function titleOf({ sustained, maxLagMs }: OverloadRun): string {
  return (
    `One core with all of the pipeline: ${whole(sustained)} trades/s sustained, then more, ` +
    `TICK_MAX_LAG ${maxLagMs / MS_PER_S} s`
  );
}

function seconds(ms: number): string {
  return (ms / MS_PER_S).toFixed(2);
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
