import type { KlineActor } from "../kline/kline.ts";
import { addLines } from "../observe/account.ts";
import { LagHistogram } from "../observe/lag_histogram.ts";
import type { KlineRole } from "./kline_role.ts";
import { lossesOf, readersOf, shedBy } from "./reader_accounts.ts";
import type { RoleAccounts } from "./role_accounts.ts";

/** What the kline actors of a process did, and what became of their candles. */
export function klineAccounts({
  actors,
  candles,
  live,
}: Pick<KlineRole, "actors" | "candles" | "live">): RoleAccounts {
  const statuses = actors.map((actor) => actor.status());
  const sum = (count: (status: (typeof statuses)[number]) => number) =>
    statuses.reduce((total, status) => total + count(status), 0);
  return {
    role: "kline",
    pid: process.pid,
    running: actors.filter(({ isRunning }) => isRunning).map(({ name }) => name),
    lag: lagOf(actors),
    accounts: [
      {
        stage: "kline",
        unit: "ticks",
        came: { read: sum(({ read }) => read) },
        became: addLines([
          { accepted: 0, late: 0, too_late: 0, duplicate: 0 },
          ...statuses.map(({ ticks }) => ticks),
        ]),
        beside: addLines(actors.map(lossesOf)),
      },
      {
        stage: "candles",
        unit: "candles",
        came: {
          closed: sum(({ candlesClosed }) => candlesClosed),
          revised: sum(({ candlesRevised }) => candlesRevised),
        },
        became: { confirmed: candles.stored, pending: candles.pending },
        beside: { sent_again: candles.retried, live_skipped: live.skipped },
      },
    ],
    publishers: [],
    readers: actors.flatMap((actor) => readersOf("kline", actor)),
    losses: actors.map((actor) => ({ stage: "kline", shard: actor.shard, lines: shedBy(actor) })),
  };
}

function lagOf(actors: readonly KlineActor[]): RoleAccounts["lag"] {
  const all = new LagHistogram();
  for (const { lag } of actors) all.merge(lag);
  return all.count === 0 ? undefined : { p50Ms: all.quantileMs(0.5), p99Ms: all.quantileMs(0.99) };
}
