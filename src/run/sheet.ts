import { type Account, addByStage, type Lines, unexplainedIn } from "../observe/account.ts";
import type { PublisherLife, ReaderLife, RoleAccounts, ShardLosses } from "./role_accounts.ts";

/** What does not balance, and by how much; less than 0 if more became than came. */
export interface Imbalance {
  readonly where: string;
  readonly unit: Account["unit"];
  readonly unexplained: number;
}

/** The accounts of all processes added up. */
export interface Sheet {
  /** In the direction of the data. */
  readonly stages: readonly Account[];
  /** What was shed and lost of each shard that lost something; by shard, then in the direction of the data. */
  readonly losses: readonly ShardLosses[];
  readonly imbalances: readonly Imbalance[];
  /** Everything that came somewhere and of which it is not known what became. */
  readonly unexplained: number;
}

const STAGES = [
  "ingest",
  "publish",
  "to_kline",
  "kline",
  "candles",
  "persist_candles",
  "to_persist_ticks",
  "persist_ticks",
];

/**
 * Adds up what processes say. Who reads must have been asked before who publishes: what was read was published before.
 */
export function createSheet(roles: readonly RoleAccounts[]): Sheet {
  const publishers = roles.flatMap((role) => role.publishers);
  const named = roles.flatMap(({ accounts, pid, readers }) => [
    ...accounts.map((account) => ({ account, where: `${account.stage} of process ${pid}` })),
    ...readers.flatMap((reader) => deliveriesTo(reader, publishers, pid)),
  ]);
  const imbalances = named
    .map(({ account, where }) => ({ where, unit: account.unit, unexplained: unexplainedIn(account) }))
    .filter(({ unexplained }) => unexplained !== 0);
  return {
    stages: addByStage(named.map(({ account }) => account)).toSorted((a, b) => place(a) - place(b)),
    losses: roles
      .flatMap(({ losses }) => losses)
      .filter(({ lines }) => Object.keys(lines).length > 0)
      .toSorted((a, b) => a.shard - b.shard || place(a) - place(b)),
    imbalances,
    unexplained: imbalances.reduce((sum, { unexplained }) => sum + Math.abs(unexplained), 0),
  };
}

function place({ stage }: { readonly stage: string }): number {
  return STAGES.indexOf(stage);
}

/** The ticks of a live publisher on their way to a reader, if it is one that the reader knows. */
function deliveriesTo(reader: ReaderLife, publishers: readonly PublisherLife[], pid: number) {
  const { stage, venue, shard, epoch, from, taken, lost, to } = reader;
  const publisher = publishers.find(
    (each) => each.venue === venue && each.shard === shard && each.epoch === epoch,
  );
  if (publisher === undefined) return [];
  const became: Lines = {
    before_reader: from,
    taken,
    lost,
    to_read: Math.max(0, publisher.numbered - to),
  };
  const account: Account = {
    stage: `to_${stage}`,
    unit: "ticks",
    came: { numbered: publisher.numbered },
    became,
    beside: {},
  };
  return [{ account, where: `ticks of ${venue} to ${stage} of shard ${shard} in process ${pid}` }];
}
