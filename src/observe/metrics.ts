import { Counter, collectDefaultMetrics, Gauge, type MetricType, Registry } from "prom-client";
import type { LagHistogram } from "./lag_histogram.ts";
import type { Metric, Sources } from "./metric.ts";

const PREFIX = "tickline_";
const MS_PER_S = 1_000;
/** Upper limits of a lag's buckets, s: from what an idle pipeline takes to what is of no use to anybody. */
const LAG_LIMITS_S = [
  0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

/**
 * Metrics in the text format of Prometheus. The hot path counts in plain numbers and tallies; only when somebody asks
 * are they read, all in one turn of the event loop, so that the numbers of an answer fit each other.
 *
 * @example
 * ```ts
 * const metrics = new Metrics();
 * metrics.add(["venue"], () => actors.map((actor) => [{ venue: actor.venue }, actor.account()]), VENUE_METRICS);
 * await metrics.text();
 * ```
 */
export class Metrics {
  readonly #registry = new Registry();

  /** Begins with the metrics of the process itself: CPU, memory, garbage collection, event loop. */
  constructor() {
    collectDefaultMetrics({ register: this.#registry });
  }

  /** Adds metrics of all sources; labels with these names tell the sources apart. */
  add<Source>(labels: readonly string[], sources: Sources<Source>, metrics: readonly Metric<Source>[]): void {
    for (const metric of metrics) {
      const options = {
        name: `${PREFIX}${metric.name}`,
        help: metric.help,
        labelNames: metric.by === undefined ? labels : [...labels, metric.by],
        registers: [this.#registry],
      };
      const read = () => samplesOf(metric, sources);
      if (metric.kind === "counter") {
        new Counter({
          ...options,
          collect() {
            this.reset();
            for (const [labels, value] of read()) this.inc(labels, value);
          },
        });
      } else {
        new Gauge({
          ...options,
          collect() {
            this.reset();
            for (const [labels, value] of read()) this.set(labels, value);
          },
        });
      }
    }
  }

  /** Adds a distribution of lags. */
  addLag(name: string, help: string, read: () => LagHistogram): void {
    this.#registry.registerMetric(new LagMetric(`${PREFIX}${name}`, help, read));
  }

  /** What Prometheus gets. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

function* samplesOf<Source>({ by, read }: Metric<Source>, sources: Sources<Source>) {
  for (const [labels, source] of sources()) {
    const value = read(source);
    if (typeof value === "number") yield [labels, value] as const;
    else for (const [cause, count] of value) yield [{ ...labels, [by!]: cause }, count] as const;
  }
}

/** A histogram that was counted elsewhere; the package's own one wants to see each value. */
class LagMetric extends Gauge {
  readonly #name: string;
  readonly #read: () => LagHistogram;

  constructor(name: string, help: string, read: () => LagHistogram) {
    super({ name, help, registers: [] });
    this.#name = name;
    this.#read = read;
  }

  override async get() {
    const lag = this.#read();
    const bucket = (le: string, value: number) => ({
      metricName: `${this.#name}_bucket`,
      labels: { le },
      value,
    });
    const values = [
      ...LAG_LIMITS_S.map((limit) => bucket(String(limit), lag.countUpTo(limit * MS_PER_S))),
      bucket("+Inf", lag.count),
      { metricName: `${this.#name}_sum`, labels: {}, value: lag.sumMs / MS_PER_S },
      { metricName: `${this.#name}_count`, labels: {}, value: lag.count },
    ];
    // The package declares its types as an enum of numbers; what it prints is the word.
    return { ...(await super.get()), type: "histogram" as unknown as MetricType, values };
  }
}
