import type { LagHistogram } from "../observe/lag_histogram.ts";
import type { Roles } from "./stages.ts";
import { type LagMeter, type Status, statusOf } from "./status.ts";

const TERMINAL_INTERVAL_MS = 1_000;
const LINE_INTERVAL_MS = 5_000;

/** Shows on standard output how a process does: a table on a terminal, a line every few seconds elsewhere. */
export class StatusView {
  readonly #roles: Roles;
  readonly #startMs = performance.now();
  readonly #lags: LagMeter;
  readonly #timer: NodeJS.Timeout;
  #lastMs = this.#startMs;
  #lastTicks = 0;
  #linesDrawn = 0;

  constructor(roles: Roles, lags: LagMeter) {
    this.#roles = roles;
    this.#lags = lags;
    const intervalMs = process.stdout.isTTY ? TERMINAL_INTERVAL_MS : LINE_INTERVAL_MS;
    this.#timer = setInterval(() => this.#show(), intervalMs);
  }

  /** Stops showing and prints the summary of the whole run. */
  end(): void {
    clearInterval(this.#timer);
    this.#lags.take(this.#roles);
    this.#clear();
    process.stdout.write(`${summaryOf(statusOf(this.#roles), this.#lags.total, this.#elapsedMs())}\n`);
  }

  #elapsedMs(): number {
    return performance.now() - this.#startMs;
  }

  #show(): void {
    const nowMs = performance.now();
    const status = statusOf(this.#roles);
    const ticks = this.#roles.ingest === undefined ? status.inCandles : status.ticks;
    const rate = ((ticks - this.#lastTicks) * 1_000) / (nowMs - this.#lastMs);
    this.#lastTicks = ticks;
    this.#lastMs = nowMs;
    const lag = this.#lags.take(this.#roles);
    if (process.stdout.isTTY) this.#draw(tableOf(status, lag, rate));
    else process.stdout.write(`${lineOf(status, lag, rate)}\n`);
  }

  #draw(lines: readonly string[]): void {
    this.#clear();
    process.stdout.write(`${lines.join("\n")}\n`);
    this.#linesDrawn = lines.length;
  }

  /** Goes back to the beginning of the table and wipes it. */
  #clear(): void {
    if (this.#linesDrawn > 0) process.stdout.write(`\x1b[${this.#linesDrawn}A\x1b[0J`);
    this.#linesDrawn = 0;
  }
}

function tableOf(status: Status, lag: LagHistogram, rate: number): string[] {
  const rows: [name: string, value: string][] = [
    ["ticks/s", whole(rate)],
    ["lag p50 / p99 / max", `${ms(lag.quantileMs(0.5))} / ${ms(lag.quantileMs(0.99))} / ${ms(lag.maxMs)}`],
    ["ticks in candles", whole(status.inCandles)],
    ["lost", lostOf(status)],
    ["missing at the venue", whole(status.missing)],
    ["rejected", whole(status.rejected)],
    ["candles stored", whole(status.candlesStored)],
    ["ticks stored", whole(status.ticksStored)],
    ["waiting for InfluxDB", whole(status.pending)],
  ];
  return rows.map(([name, value]) => `  ${name.padEnd(22)}${value}`);
}

function lineOf(status: Status, lag: LagHistogram, rate: number): string {
  return (
    `ticks/s ${whole(rate)}  lag p50 ${ms(lag.quantileMs(0.5))} p99 ${ms(lag.quantileMs(0.99))}` +
    ` max ${ms(lag.maxMs)}  lost ${lostOf(status)}  candles stored ${whole(status.candlesStored)}` +
    `  ticks stored ${whole(status.ticksStored)}`
  );
}

function summaryOf(status: Status, lag: LagHistogram, elapsedMs: number): string {
  const rate = whole((Math.max(status.ticks, status.inCandles) * 1_000) / elapsedMs);
  return [
    `ran ${(elapsedMs / 1_000).toFixed(1)} s`,
    `ticks in        ${whole(status.ticks)} (${rate}/s), duplicates ${status.duplicates}, rejected ${status.rejected}`,
    `ticks in candles ${whole(status.inCandles)}, missing at the venue ${status.missing}`,
    `candles stored  ${whole(status.candlesStored)} (closed ${status.candlesClosed}, revisions ${status.candlesRevised})`,
    `ticks stored    ${whole(status.ticksStored)}`,
    `lost            ${lostOf(status)}`,
    `lag             p50 ${ms(lag.quantileMs(0.5))}, p99 ${ms(lag.quantileMs(0.99))}, max ${ms(lag.maxMs)}`,
  ].join("\n");
}

function lostOf({ lost, lostByCause }: Status): string {
  if (lost === 0) return "0";
  const causes = Object.entries(lostByCause).map(([cause, count]) => `${cause} ${count}`);
  return `${lost} (${causes.join(", ")})`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function ms(value: number): string {
  return `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ms`;
}
