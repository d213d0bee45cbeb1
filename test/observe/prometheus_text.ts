import assert from "node:assert/strict";

/** A metric as Prometheus reads it. */
export interface ScrapedMetric {
  readonly type: string;
  readonly help: string;
  /** Values by series: the name, and the labels in alphabetical order. */
  readonly series: ReadonlyMap<string, number>;
}

const SERIES = /^([a-z_][a-z0-9_]*)(?:\{(.*)\})? (\S+)$/i;
const LABEL = /([a-z_]+)="((?:[^"\\]|\\.)*)"/g;

/**
 * Reads the text format of Prometheus.
 *
 * @throws {assert.AssertionError} if a line is not of the format, a series comes twice or a metric is not described
 */
export class PrometheusText {
  readonly metrics: ReadonlyMap<string, ScrapedMetric>;

  constructor(text: string) {
    const metrics = new Map<string, ScrapedMetric & { series: Map<string, number> }>();
    let current: { name: string; metric: ScrapedMetric & { series: Map<string, number> } } | undefined;
    let help = "";
    for (const line of text.split("\n")) {
      const [, comment, of, rest] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
      if (comment === "HELP") help = rest!;
      else if (comment === "TYPE") {
        assert.ok(!metrics.has(of!), `${of} is described twice`);
        current = { name: of!, metric: { type: rest!, help, series: new Map() } };
        metrics.set(of!, current.metric);
      } else if (line !== "") {
        const [, name, labels = "", value] = SERIES.exec(line) ?? assert.fail(`not a series: "${line}"`);
        assert.ok(current !== undefined && name!.startsWith(current.name), `${name} is not described`);
        const key = seriesOf(
          name!,
          Object.fromEntries([...labels.matchAll(LABEL)].map(([, l, v]) => [l, v])),
        );
        assert.ok(!current.metric.series.has(key), `${key} comes twice`);
        current.metric.series.set(key, Number(value));
      }
    }
    this.metrics = metrics;
  }

  /** The value of one series, or undefined. */
  get(name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
    const base = name.replace(/_(bucket|sum|count)$/, "");
    return (this.metrics.get(name) ?? this.metrics.get(base))?.series.get(seriesOf(name, labels));
  }

  /** The sum of a metric over all its series, or over those with a label that reads `name=value`. */
  sum(name: string, label = ""): number {
    const metric = this.metrics.get(name) ?? assert.fail(`there is no metric ${name}`);
    return [...metric.series].reduce((sum, [key, value]) => (key.includes(label) ? sum + value : sum), 0);
  }
}

/** Asks a process of this host for its metrics. */
export async function scrape(port: number): Promise<PrometheusText> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  return new PrometheusText(await response.text());
}

function seriesOf(name: string, labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${name}{${pairs.map(([label, value]) => `${label}=${value}`).join(",")}}`;
}
