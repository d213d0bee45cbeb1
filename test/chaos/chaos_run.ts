import { setTimeout as delay } from "node:timers/promises";
import { Random } from "../../src/simulator/random.ts";
import { expectedCandles } from "../pipeline/expected_candles.ts";
import { type Balance, balance, FINDINGS, type Harm, type LossyTime } from "./balance.ts";
import { Deck } from "./deck.ts";
import type { Endings } from "./endings.ts";
import type { FaultKind } from "./fault_kind.ts";
import { openStage, type Stage } from "./stage.ts";
import { type FaultRecord, strike } from "./strike.ts";
import { type TickBalance, tickBalance } from "./tick_balance.ts";

const PAUSE_MS = { min: 100, max: 500 };
/** Nothing fails for so long: a shard's markets get their first snapshots one after the other. */
const CALM_MS = 4_000;
/** How often a second fault strikes while the first one lasts, and how long after it. */
const SHARE_OF_PAIRS = 0.45;
const MAX_APART_MS = 2_500;
const SETTLE_DEADLINE_MS = 90_000;
/** Nothing changed for so long: nothing will. */
const SETTLED_MS = 12_000;
const SETTLE_POLL_MS = 1_000;

export interface ChaosOptions {
  readonly seed: number;
  readonly faults: readonly FaultKind[];
  /** Begins no fault after this time, ms. */
  readonly durationMs: number;
  /** Takes the faults one by one as they stand rather than at random, and ends after the last. @default false */
  readonly inOrder?: boolean;
  readonly print: (line: string) => void;
}

export interface ChaosReport extends Balance {
  readonly faults: readonly FaultRecord[];
  readonly ticks: TickBalance;
  /** The log of every process, by its name. */
  readonly logs: ReadonlyMap<string, string>;
}

/** Lets one fault after the other happen to a pipeline, and holds what it stored against what was traded. */
export async function runChaos(options: ChaosOptions, endings: Endings): Promise<ChaosReport> {
  const stage = await openStage(endings, new Random(options.seed));
  await delay(CALM_MS);
  const faults = await harm(stage, options);
  stage.venue.close();
  const losses = faults.filter(({ loses }) => loses);
  const settled = await settle(stage, { losses, erasedToMs: erasedToMs(faults) });
  const ticks = await settleTicks(stage, losses);
  const processes = [...stage.ingests.everyone, ...stage.workers.everyone];
  const logs = new Map(processes.map(({ name, stderr }, index) => [`${name}-${index}`, stderr]));
  return { ...settled, faults, ticks, logs };
}

async function harm(
  stage: Stage,
  { seed, faults: kinds, durationMs, inOrder = false, print }: ChaosOptions,
): Promise<FaultRecord[]> {
  const random = new Random(seed + 1);
  const deck = new Deck(kinds, random);
  const records: FaultRecord[] = [];
  const begin = async (kind: FaultKind, isAlone: boolean) => {
    const record = await strike(stage, kind, { random, isAlone });
    records.push(record);
    print(lineOf(record));
  };
  const endMs = performance.now() + durationMs;
  while (performance.now() < endMs && !(inOrder && records.length === kinds.length)) {
    await delay(random.integer(PAUSE_MS.min, PAUSE_MS.max));
    const first = inOrder ? kinds[records.length]! : deck.deal()!;
    const second =
      !inOrder && random.uniform() < SHARE_OF_PAIRS
        ? deck.deal(({ victim }) => victim !== first.victim)
        : undefined;
    const struck = [begin(first, second === undefined)];
    if (second !== undefined) {
      await delay(random.integer(0, MAX_APART_MS));
      struck.push(begin(second, false));
    }
    await Promise.all(struck);
  }
  return records;
}

function lineOf({ name, fromMs, forMs, isAlone, liveMs, storedMs }: FaultRecord): string {
  const seconds = (ms: number) => (Number.isFinite(ms) ? `${(ms / 1_000).toFixed(1)} s` : "NEVER");
  const what = `${name}${forMs === 0 ? "" : ` for ${seconds(forMs)}`}`;
  const company = isAlone ? "" : "  (one of two)";
  return (
    `${new Date(fromMs).toISOString()}  ${what.padEnd(34)}` +
    `  live after ${seconds(liveMs).padStart(6)}, stored after ${seconds(storedMs).padStart(6)}${company}`
  );
}

/** What the stream does not hold any more when the database loses its candles is stored by nobody again. */
function erasedToMs(faults: readonly FaultRecord[]): number {
  let erasedMs = Number.NEGATIVE_INFINITY;
  for (const database of faults.filter(({ erases }) => erases === "database")) {
    for (const stream of faults.filter(({ erases }) => erases === "stream")) {
      if (stream.fromMs <= database.toMs) erasedMs = Math.max(erasedMs, stream.toMs);
    }
  }
  return erasedMs;
}

/** The balance once nothing changes any more. */
async function settle({ store, venue }: Stage, harm: Harm): Promise<Balance> {
  const expected = expectedCandles(venue.trades);
  const candles = expected.size;
  const startMs = performance.now();
  let changedMs = startMs;
  let last = await balance(store, expected, harm);
  while (performance.now() - startMs < SETTLE_DEADLINE_MS) {
    if (last.counts.equal === candles || performance.now() - changedMs > SETTLED_MS) break;
    await delay(SETTLE_POLL_MS);
    const now = await balance(store, expected, harm);
    if (hasChanged(last, now)) changedMs = performance.now();
    last = now;
  }
  return last;
}

/** The balance of the ticks once no more are stored. */
async function settleTicks({ store, venue }: Stage, losses: readonly LossyTime[]): Promise<TickBalance> {
  let last = await tickBalance(store, venue.trades, losses);
  for (;;) {
    await delay(SETTLE_POLL_MS);
    const now = await tickBalance(store, venue.trades, losses);
    if (now.stored === last.stored) return now;
    last = now;
  }
}

function hasChanged(before: Balance, after: Balance): boolean {
  const findings = Object.keys(FINDINGS) as (keyof typeof FINDINGS)[];
  return findings.some((finding) => before.counts[finding] !== after.counts[finding]);
}
