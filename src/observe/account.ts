import type { Tally } from "./tally.ts";

/** Counts by what they are of; one that has causes has a line for each, see {@link byCause}. */
export type Lines = Readonly<Record<string, number>>;

/** What came to a stage of the pipeline, and what became of it: everything that came is in one line of `became`. */
export interface Account {
  readonly stage: string;
  /** What is counted. */
  readonly unit: "ticks" | "candles";
  readonly came: Lines;
  readonly became: Lines;
  /** What is good to know and no part of the balance. */
  readonly beside: Lines;
}

/** How much came of which it is not known what became; negative if more became than came. 0 as long as all is well. */
export function unexplainedIn({ came, became }: Account): number {
  return sumOf(came) - sumOf(became);
}

/** How much is wrong in some accounts; what is too much in one does not make up for what is missing in another. */
export function totalUnexplained(accounts: readonly Account[]): number {
  return accounts.reduce((sum, account) => sum + Math.abs(unexplainedIn(account)), 0);
}

/** One account for each stage, in the order of first appearance. */
export function addByStage(accounts: readonly Account[]): Account[] {
  const stages = new Map<string, Account>();
  for (const account of accounts) {
    const sum = stages.get(account.stage);
    stages.set(account.stage, sum === undefined ? account : add(sum, account));
  }
  return [...stages.values()];
}

/** The counts of a tally as lines, `rejected:time_jump`. */
export function byCause(line: string, tally: Tally): Lines {
  return Object.fromEntries([...tally.entries()].map(([cause, count]) => [`${line}:${cause}`, count]));
}

function add(one: Account, other: Account): Account {
  return {
    ...one,
    came: addLines([one.came, other.came]),
    became: addLines([one.became, other.became]),
    beside: addLines([one.beside, other.beside]),
  };
}

/** The sum of some lines, line by line. */
export function addLines(all: readonly Lines[]): Lines {
  const sum: Record<string, number> = {};
  for (const lines of all) {
    for (const [line, count] of Object.entries(lines)) sum[line] = (sum[line] ?? 0) + count;
  }
  return sum;
}

/** All lines together. */
export function sumOf(lines: Lines): number {
  return Object.values(lines).reduce((sum, count) => sum + count, 0);
}
