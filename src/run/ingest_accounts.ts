import type { IngestAccount } from "../ingest/ingest_account.ts";
import { type Account, byCause } from "../observe/account.ts";
import type { IngestRole } from "./ingest_role.ts";
import type { RoleAccounts } from "./role_accounts.ts";

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
