import type { LagHistogram } from "../observe/lag_histogram.ts";
import type { LagMeter } from "./lag_meter.ts";
import type { Roles } from "./stages.ts";
import { statusOf } from "./status.ts";
import { lineOf, type StatusText, summaryOf, tableOf } from "./status_text.ts";

const TERMINAL_INTERVAL_MS = 1_000;
const LINE_INTERVAL_MS = 5_000;

/** Shows on standard output how a process does: a table on a terminal, a line every few seconds elsewhere. */
export class StatusView {
  readonly #roles: Roles;
  readonly #startMs = performance.now();
  readonly #lags: LagMeter;
  readonly #timer: NodeJS.Timeout;
  #lastMs = this.#startMs;
  #ticks = 0;
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
    process.stdout.write(
      `${summaryOf(this.#textSince(this.#startMs, 0, this.#lags.total), this.#elapsedMs())}\n`,
    );
  }

  #elapsedMs(): number {
    return performance.now() - this.#startMs;
  }

  /** How things are, with the rate since a time, ms, when there had been so many ticks. */
  #textSince(sinceMs: number, ticksBefore: number, lag: LagHistogram): StatusText {
    const roles = this.#roles;
    const status = statusOf(roles);
    this.#ticks = roles.ingest === undefined ? status.inCandles : status.ticks;
    const rate = ((this.#ticks - ticksBefore) * 1_000) / (performance.now() - sinceMs);
    return { roles, status, lag, rate };
  }

  #show(): void {
    const text = this.#textSince(this.#lastMs, this.#ticks, this.#lags.take(this.#roles));
    this.#lastMs = performance.now();
    if (process.stdout.isTTY) this.#draw(tableOf(text));
    else process.stdout.write(`${lineOf(text)}\n`);
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
