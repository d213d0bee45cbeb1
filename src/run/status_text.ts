import type { LagHistogram } from "../observe/lag_histogram.ts";
import type { Roles } from "./stages.ts";
import type { Status } from "./status.ts";

/** What a status or summary is made of. */
export interface StatusText {
  /** Which roles the process plays: it says nothing of what others do. */
  readonly roles: Roles;
  readonly status: Status;
  readonly lag: LagHistogram;
  /** Ticks a second. */
  readonly rate: number;
}

/** Rows of the table on a terminal. */
export function tableOf({ roles, status, lag, rate }: StatusText): string[] {
  const { ingest, kline, persist } = roles;
  const rows: (readonly [name: string, value: string] | undefined)[] = [
    ["ticks/s", whole(rate)],
    kline && ["lag p50 / p99 / max", quantilesOf(lag).map(ms).join(" / ")],
    kline && ["ticks in candles", whole(status.inCandles)],
    ["lost", lostOf(status)],
    ingest && ["missing at the venue", whole(status.missing)],
    ingest && ["rejected", whole(status.rejected)],
    persist && ["candles stored", whole(status.candlesStored)],
    persist && ["ticks stored", whole(status.ticksStored)],
    persist && ["waiting for InfluxDB", whole(status.pending)],
  ];
  return rows.flatMap((row) => (row === undefined ? [] : [`  ${row[0].padEnd(22)}${row[1]}`]));
}

/** One line for a log. */
export function lineOf({ roles, status, lag, rate }: StatusText): string {
  const { kline, persist } = roles;
  const [p50, p99, max] = quantilesOf(lag).map(ms);
  const parts = [
    `ticks/s ${whole(rate)}`,
    kline && `lag p50 ${p50} p99 ${p99} max ${max}`,
    `lost ${lostOf(status)}`,
    persist && `candles stored ${whole(status.candlesStored)}`,
    persist && `ticks stored ${whole(status.ticksStored)}`,
  ];
  return parts.filter((part) => part !== undefined).join("  ");
}

/** What a process did from start to end. */
export function summaryOf({ roles, status, lag, rate }: StatusText, elapsedMs: number): string {
  const { ingest, kline, persist } = roles;
  const [p50, p99, max] = quantilesOf(lag).map(ms);
  const lines = [
    `ran ${(elapsedMs / 1_000).toFixed(1)} s`,
    ingest &&
      `ticks in        ${whole(status.ticks)} (${whole(rate)}/s), duplicates ${status.duplicates}, ` +
        `rejected ${status.rejected}, missing at the venue ${status.missing}`,
    kline &&
      `ticks in candles ${whole(status.inCandles)}${ingest === undefined ? ` (${whole(rate)}/s)` : ""}, ` +
        `candles closed ${status.candlesClosed}, revisions ${status.candlesRevised}`,
    persist && `candles stored  ${whole(status.candlesStored)}`,
    persist && `ticks stored    ${whole(status.ticksStored)}`,
    `lost            ${lostOf(status)}`,
    `unexplained     ${whole(status.unexplained)}`,
    kline && `lag             p50 ${p50}, p99 ${p99}, max ${max}`,
  ];
  return lines.filter((line) => line !== undefined).join("\n");
}

function quantilesOf(lag: LagHistogram): number[] {
  return [lag.quantileMs(0.5), lag.quantileMs(0.99), lag.maxMs];
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
