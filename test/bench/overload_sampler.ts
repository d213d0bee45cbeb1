import { setTimeout as delay } from "node:timers/promises";
import { type PrometheusText, scrape } from "../observe/prometheus_text.ts";
import type { BenchStage } from "./bench_stage.ts";
import { CandleAge } from "./candle_age.ts";

const SAMPLE_MS = 1_000;

/** What became of trades, as the processes count it. */
export interface TradeCounts {
  /** By the venue. */
  readonly sent: number;
  /** Accepted by ingest. */
  readonly accepted: number;
  readonly inCandles: number;
  /** Never read from the venue: the ids say so. */
  readonly missing: number;
  /** By ingest, for NATS was too slow. */
  readonly dropped: number;
  /** By kline actors, as older than TICK_MAX_LAG. */
  readonly skipped: number;
  /** Stored, and skipped, by tick history. */
  readonly stored: number;
  readonly historySkipped: number;
  /** Connections that ended because their trades were too old. */
  readonly staleFeeds: number;
}

/** One second of a run. */
export interface OverloadSample {
  /** Since the first sample. */
  readonly atMs: number;
  /** The newest trade in open candles, from the venue's sending. */
  readonly ageP50Ms: number;
  readonly ageP99Ms: number;
  readonly ageMaxMs: number;
  /** From the receipt of a frame to its candle. */
  readonly lagP50Ms: number;
  readonly lagP99Ms: number;
  readonly counts: TradeCounts;
  readonly rssMiB: Readonly<Record<string, number>>;
}

type Buckets = ReadonlyMap<number, number>;

/** Looks at a pipeline once a second. */
export class OverloadSampler {
  readonly samples: OverloadSample[] = [];
  readonly #stage: BenchStage;
  readonly #age: CandleAge;
  readonly #startMs = performance.now();
  #lags: Buckets = new Map();

  private constructor(stage: BenchStage, age: CandleAge) {
    this.#stage = stage;
    this.#age = age;
  }

  static async start(stage: BenchStage): Promise<OverloadSampler> {
    const sampler = new OverloadSampler(stage, await CandleAge.watch(stage));
    sampler.#lags = bucketsOf(await scrape(stage.ports.workers));
    return sampler;
  }

  /** Ms since the first sample. */
  get elapsedMs(): number {
    return performance.now() - this.#startMs;
  }

  /** Samples for a while; the samples. */
  async sampleFor(lengthMs: number): Promise<readonly OverloadSample[]> {
    const first = this.samples.length;
    const endMs = performance.now() + lengthMs;
    while (performance.now() < endMs) {
      const dueMs = performance.now() + SAMPLE_MS;
      this.samples.push(await this.sample());
      await delay(Math.max(0, dueMs - performance.now()));
    }
    return this.samples.slice(first);
  }

  async sample(): Promise<OverloadSample> {
    const { ingest: ingestPort, workers: workersPort } = this.#stage.ports;
    const [ingest, workers] = await Promise.all([scrape(ingestPort), scrape(workersPort)]);
    const ages = this.#age.take();
    const lags = bucketsOf(workers);
    const lag = (share: number) => quantileMs(this.#lags, lags, share);
    const [lagP50Ms, lagP99Ms] = [lag(0.5), lag(0.99)];
    this.#lags = lags;
    return {
      atMs: this.elapsedMs,
      ageP50Ms: quantileOf(ages, 0.5),
      ageP99Ms: quantileOf(ages, 0.99),
      ageMaxMs: quantileOf(ages, 1),
      lagP50Ms,
      lagP99Ms,
      counts: {
        sent: this.#age.sent,
        accepted: ingest.sum("tickline_ticks_accepted_total"),
        missing: ingest.sum("tickline_ticks_missing"),
        dropped: ingest.sum("tickline_ticks_dropped_total"),
        staleFeeds: ingest.sum("tickline_feed_ends_total", "cause=stale"),
        inCandles:
          workers.sum("tickline_kline_ticks_total", "outcome=accepted") +
          workers.sum("tickline_kline_ticks_total", "outcome=late"),
        skipped: workers.sum("tickline_kline_ticks_total", "outcome=skipped"),
        stored: workers.sum("tickline_persist_ticks_total", "outcome=received"),
        historySkipped: workers.sum("tickline_persist_ticks_total", "outcome=skipped"),
      },
      rssMiB: this.#stage.rssMiB(),
    };
  }

  close(): Promise<void> {
    return this.#age.close();
  }
}

function quantileOf(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** Trades by the longest lag that they may have had, s. */
function bucketsOf(metrics: PrometheusText): Buckets {
  const series = metrics.metrics.get("tickline_tick_lag_seconds")?.series ?? new Map<string, number>();
  const buckets = [...series].flatMap(([key, count]) => {
    const limit = /le=([^},]+)/.exec(key)?.[1];
    return limit === undefined ? [] : [[limit === "+Inf" ? Infinity : Number(limit), count] as const];
  });
  return new Map(buckets.sort(([a], [b]) => a - b));
}

/** A quantile of what came between two looks, within its bucket as if all of it were spread evenly. */
function quantileMs(before: Buckets, after: Buckets, share: number): number {
  const counts = [...after].map(([limit, count]) => [limit, count - (before.get(limit) ?? 0)] as const);
  const total = counts.at(-1)?.[1] ?? 0;
  if (total === 0) return Number.NaN;
  let [lowS, below] = [0, 0];
  for (const [limitS, count] of counts) {
    if (count >= share * total) {
      if (limitS === Infinity) return lowS * 1_000;
      return (lowS + ((limitS - lowS) * (share * total - below)) / (count - below || 1)) * 1_000;
    }
    [lowS, below] = [limitS, count];
  }
  return Number.NaN;
}
