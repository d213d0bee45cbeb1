import { addLines, byCause, type Lines } from "../observe/account.ts";
import type { InfluxLane } from "../store/influx_lane.ts";
import type { PersistRole } from "./persist_role.ts";
import { lossesOf, readersOf, shedBy } from "./reader_accounts.ts";
import type { RoleAccounts } from "./role_accounts.ts";

/** What the persist actors of a process did, and what became of their lines in InfluxDB. */
export function persistAccounts(
  role: Pick<PersistRole, "candleActor" | "candleLane" | "tickActors" | "tickLane">,
): RoleAccounts {
  const { candleActor, candleLane, tickActors, tickLane } = role;
  const { read, elsewhere, staleRevisions, fenced } = candleActor.status();
  const running = [candleActor, ...tickActors].filter(({ isRunning }) => isRunning);
  const shed = addLines(tickActors.map(({ ticks }) => Object.fromEntries(ticks.entries())));
  const { received: _, ...kept } = { received: 0, ...shed };
  return {
    role: "persist",
    pid: process.pid,
    running: running.map(({ name }) => name),
    accounts: [
      {
        stage: "persist_candles",
        unit: "candles",
        came: { read },
        became: {
          ...linesOf(candleLane),
          superseded: staleRevisions,
          fenced,
          elsewhere,
          ...byCause("unreadable", candleActor.badMessages),
        },
        beside: {},
      },
      {
        stage: "persist_ticks",
        unit: "ticks",
        came: { read: tickActors.reduce((sum, actor) => sum + actor.status().read, 0) },
        became: { ...linesOf(tickLane), ...kept },
        beside: addLines(tickActors.map(lossesOf)),
      },
    ],
    publishers: [],
    readers: tickActors.flatMap((actor) => readersOf("persist_ticks", actor)),
    losses: tickActors.map((actor) => ({ stage: "persist_ticks", shard: actor.shard, lines: shedBy(actor) })),
  };
}

function linesOf({ lines, pending }: InfluxLane): Lines {
  return { stored: 0, ...Object.fromEntries(lines.entries()), pending };
}
