import { type Account, totalUnexplained } from "../observe/account.ts";
import type { Tally } from "../observe/tally.ts";
import { ingestAccounts } from "./ingest_accounts.ts";
import { klineAccounts } from "./kline_accounts.ts";
import { persistAccounts } from "./persist_accounts.ts";
import type { Roles } from "./stages.ts";

/** What a process did so far. */
export interface Status {
  /** Trades that ingest accepted. */
  readonly ticks: number;
  /** Ticks that became part of candles. */
  readonly inCandles: number;
  readonly duplicates: number;
  readonly rejected: number;
  /** Trades that the venue numbered and that did not come. */
  readonly missing: number;
  /**
   * Ticks and candles that the pipeline itself lost, all causes; a message of which nobody knows what it held counts as
   * one.
   */
  readonly lost: number;
  readonly lostByCause: Readonly<Record<string, number>>;
  readonly candlesClosed: number;
  readonly candlesRevised: number;
  readonly candlesStored: number;
  readonly ticksStored: number;
  /** Lines that wait for InfluxDB. */
  readonly pending: number;
  /** Ticks and candles that are in no line of any account: more than 0 is a bug. */
  readonly unexplained: number;
}

/** Adds up the accounts of all actors of a process. */
export function statusOf({ ingest, kline, persist }: Roles): Status {
  const accounts = ingest?.actors.map((actor) => actor.account()) ?? [];
  const klines = kline?.actors ?? [];
  const lostByCause: Record<string, number> = {};
  const lose = (cause: string, count: number) => {
    if (count > 0) lostByCause[cause] = (lostByCause[cause] ?? 0) + count;
  };
  for (const { droppedTicks, unconfirmedTicks } of accounts) {
    for (const [cause, count] of droppedTicks.entries()) lose(`tick_${cause}`, count);
    // Where kline is in this process it is known what of it was lost.
    if (kline === undefined) lose("tick_unconfirmed", unconfirmedTicks.total);
  }
  // What readers miss because it was dropped here is lost once.
  const dropped = sum(accounts, ({ droppedTicks }) => droppedTicks.total);
  const shed = sum(klines, (actor) => actor.status().lostTicks);
  lose("tick_missing", Math.max(0, shed - dropped));
  for (const actor of klines) {
    lose("message_missing", actor.status().unknownBatches);
    lose("message_bad", actor.badMessages.total);
    lose("tick_skipped", actor.ticks.get("skipped"));
    lose("tick_too_late", actor.ticks.get("too_late"));
  }
  for (const actor of persist?.tickActors ?? []) {
    lose("history_tick_missing", actor.status().lostTicks);
    lose("history_message_missing", actor.status().unknownBatches);
    lose("history_message_bad", actor.badMessages.total);
    lose("history_tick_skipped", actor.ticks.get("skipped"));
  }
  lose("candle_message_bad", persist?.candleActor.badMessages.total ?? 0);
  lose("candle_poison", persist?.candleLane.lines.get("poison") ?? 0);
  lose("history_tick_poison", persist?.tickLane.lines.get("poison") ?? 0);
  lose("candle_beyond_retention", persist?.candleLane.lines.get("beyond_retention") ?? 0);
  lose("history_tick_beyond_retention", persist?.tickLane.lines.get("beyond_retention") ?? 0);
  return {
    ticks: sum(accounts, ({ accepted }) => accepted),
    inCandles: sum(klines, ({ ticks }) => ticks.get("accepted") + ticks.get("late")),
    duplicates: sum(accounts, ({ duplicates }) => duplicates),
    rejected: sum(accounts, ({ rejected }) => rejected.total),
    missing: sum(accounts, ({ missing }) => missing),
    lost: sum(Object.values(lostByCause), (count) => count),
    lostByCause,
    candlesClosed: sum(klines, (actor) => actor.status().candlesClosed),
    candlesRevised: sum(klines, (actor) => actor.status().candlesRevised),
    candlesStored: stored(persist?.candleLane.lines),
    ticksStored: stored(persist?.tickLane.lines),
    pending: (persist?.candleLane.pending ?? 0) + (persist?.tickLane.pending ?? 0),
    unexplained: totalUnexplained(accountsOf({ ingest, kline, persist })),
  };
}

/** The accounts of all roles of a process. */
export function accountsOf({ ingest, kline, persist }: Roles): Account[] {
  return [
    ...(ingest === undefined ? [] : ingestAccounts(ingest).accounts),
    ...(kline === undefined ? [] : klineAccounts(kline).accounts),
    ...(persist === undefined ? [] : persistAccounts(persist).accounts),
  ];
}

function sum<T>(each: readonly T[], value: (one: T) => number): number {
  return each.reduce((total, one) => total + value(one), 0);
}

function stored(lines: Tally | undefined): number {
  return lines?.get("stored") ?? 0;
}
