import type { IngestAccount } from "../ingest/ingest_account.ts";
import type { KlineActor } from "../kline/kline.ts";
import { type Account, addLines, byCause, type Lines } from "../observe/account.ts";
import { LagHistogram } from "../observe/lag_histogram.ts";
import type { TickPersistActor } from "../persist/tick_persist.ts";
import type { InfluxLane } from "../store/influx_lane.ts";
import type { IngestRole } from "./ingest_role.ts";
import type { KlineRole } from "./kline_role.ts";
import type { PersistRole } from "./persist_role.ts";
import type { ReaderLife, RoleAccounts, TickReader } from "./role_accounts.ts";

/** Most lives of a venue's publishers that an actor tells of, those that it heard last, so that an answer stays small. */
const MAX_LIVES = 4;

/** What the ingest actors of a process did. */
export function ingestAccounts({ actors }: Pick<IngestRole, "actors">): RoleAccounts {
  return {
    role: "ingest",
    pid: process.pid,
    running: actors.filter(({ leads }) => leads).map(({ name }) => name),
    accounts: actors.flatMap((actor) => {
      const account = actor.account();
      return [receipt(account, actor.leads), publication(account)];
    }),
    publishers: actors.flatMap((actor) =>
      actor.shards.flatMap(({ shard, position }) =>
        position === undefined || !actor.leads
          ? []
          : [{ venue: actor.venue, shard, epoch: position.epoch, numbered: position.ticks }],
      ),
    ),
    readers: [],
    losses: actors.flatMap((actor) =>
      actor.shards.map(({ shard, dropped, unconfirmed }) => ({
        stage: "publish" as const,
        shard,
        lines: { ...byCause("dropped", dropped), ...byCause("unconfirmed", unconfirmed) },
      })),
    ),
  };
}

function receipt(account: IngestAccount, leads: boolean): Account {
  return {
    stage: "ingest",
    unit: "ticks",
    came: { received: account.received },
    became: {
      accepted: account.accepted,
      duplicate: account.duplicates,
      held: account.held,
      ...byCause("rejected", account.rejected),
    },
    beside: {
      // Those of one that stands by are counted where they are published.
      markets: leads ? account.markets : 0,
      connected_markets: leads ? account.connectedMarkets : 0,
      missing: account.missing,
    },
  };
}

function publication(account: IngestAccount): Account {
  return {
    stage: "publish",
    unit: "ticks",
    came: { accepted: account.accepted },
    became: {
      kept: account.kept,
      passed: account.passed,
      confirmed: account.confirmedTicks,
      under_way: account.underWayTicks,
      collected: account.collectedTicks,
      ...byCause("unconfirmed", account.unconfirmedTicks),
      ...byCause("dropped", account.droppedTicks),
    },
    beside: {},
  };
}

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

type TickReaderActor = KlineActor | TickPersistActor;

/** What never came to an actor: ticks, and messages of which nobody knows how many ticks they held. */
function lossesOf(actor: TickReaderActor): Lines {
  const { lostTicks, unknownBatches } = actor.status();
  return {
    lost: lostTicks,
    ...(unknownBatches > 0 ? { lost_messages: unknownBatches } : {}),
    ...byCause("unreadable_messages", actor.badMessages),
  };
}

/** All that a shard's actor shed, or did not get. */
function shedBy(actor: TickReaderActor): Lines {
  const shed = ["too_late", "skipped", "bad_name"].map((fate) => [fate, actor.ticks.get(fate)] as const);
  const lines = { ...lossesOf(actor), ...Object.fromEntries(shed) };
  return Object.fromEntries(Object.entries(lines).filter(([, count]) => count > 0));
}

function readersOf(stage: TickReader, actor: TickReaderActor): ReaderLife[] {
  return [...actor.lives()].flatMap(([venue, lives]) =>
    [...lives].slice(-MAX_LIVES).map((life) => ({ stage, venue, shard: actor.shard, ...life })),
  );
}
