import { setTimeout as delay } from "node:timers/promises";
import { Random } from "../../src/simulator/random.ts";
import { expectedCandles } from "../pipeline/expected_candles.ts";
import { type Balance, balance, type LossyTime } from "./balance.ts";
import type { FaultKind } from "./fault_kind.ts";
import { Endings, isLively, openStage, type Stage } from "./stage.ts";

const PAUSE_MS = { min: 500, max: 5_000 };
/** Nothing fails for so long: a shard's markets get their first snapshots one after the other within 5 s. */
const CALM_MS = 8_000;
/** How often a second fault strikes while the first one lasts, and how long after it. */
const SHARE_OF_PAIRS = 0.3;
const MAX_APART_MS = 2_500;
const RECOVERY_DEADLINE_MS = 60_000;
const RECOVERY_POLL_MS = 100;
const SETTLE_DEADLINE_MS = 90_000;
/** Nothing changed for so long: nothing will. */
const SETTLED_MS = 12_000;
const SETTLE_POLL_MS = 1_000;

export interface ChaosOptions {
  readonly seed: number;
  /** The faults to draw from, in order if the run is to have each once. */
  readonly faults: readonly FaultKind[];
  /** Begins no fault after this time, ms. */
  readonly durationMs: number;
  /** Takes the faults one by one as they stand rather than at random, and ends after the last. @default false */
  readonly inOrder?: boolean;
  readonly print: (line: string) => void;
}

/** A fault that was. */
export interface FaultRecord {
  readonly name: string;
  /** From its beginning until every market had a stored candle that began later; Infinity if that never came. */
  readonly recoveryMs: number;
}

export interface ChaosReport extends Balance {
  readonly faults: readonly FaultRecord[];
  readonly trades: number;
  /** The log of every process, by its name. */
  readonly logs: ReadonlyMap<string, string>;
}

/** Lets one fault after the other happen to a pipeline, and holds what it stored against what was traded. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const endings = new Endings();
  try {
    const stage = await openStage(endings, new Random(options.seed));
    await delay(CALM_MS);
    const { faults, losses } = await harm(stage, options);
    stage.venue.close();
    const settled = await settle(stage, losses);
    const processes = [...stage.ingests.everyone, ...stage.workers.everyone];
    const logs = new Map(processes.map(({ name, stderr }, index) => [`${name}-${index}`, stderr]));
    return { ...settled, faults, trades: stage.venue.trades.length, logs };
  } finally {
    await endings.run();
  }
}

async function harm(stage: Stage, { seed, faults: kinds, durationMs, inOrder = false, print }: ChaosOptions) {
  const random = new Random(seed + 1);
  const faults: FaultRecord[] = [];
  const losses: LossyTime[] = [];
  const strike = async (kind: FaultKind) => {
    const forMs = random.integer(...kind.lastsMs);
    const fromMs = Date.now();
    const [recoveryMs] = await Promise.all([recovery(stage, fromMs), kind.inject(stage, forMs, random)]);
    if (kind.loses) losses.push({ fromMs, toMs: Date.now() });
    faults.push({ name: kind.name, recoveryMs });
    const length = forMs === 0 ? "" : ` for ${(forMs / 1_000).toFixed(1)} s`;
    const outcome = Number.isFinite(recoveryMs)
      ? `recovered after ${(recoveryMs / 1_000).toFixed(1)} s`
      : "NOT RECOVERED";
    print(`${new Date(fromMs).toISOString()}  ${`${kind.name}${length}`.padEnd(28)}  ${outcome}`);
  };
  const endMs = performance.now() + durationMs;
  while (performance.now() < endMs && !(inOrder && faults.length === kinds.length)) {
    await delay(random.integer(PAUSE_MS.min, PAUSE_MS.max));
    const first = inOrder ? kinds[faults.length]! : draw(kinds, random);
    const struck = [strike(first)];
    if (!inOrder && random.uniform() < SHARE_OF_PAIRS) {
      await delay(random.integer(0, MAX_APART_MS));
      const others = kinds.filter((kind) => kind.victim !== first.victim);
      if (others.length > 0) struck.push(strike(draw(others, random)));
    }
    await Promise.all(struck);
  }
  return { faults, losses };
}

function draw(kinds: readonly FaultKind[], random: Random): FaultKind {
  return kinds[random.integer(0, kinds.length - 1)]!;
}

async function recovery(stage: Stage, fromMs: number): Promise<number> {
  const startMs = performance.now();
  while (performance.now() - startMs < RECOVERY_DEADLINE_MS) {
    if (await isLively(stage, fromMs)) return performance.now() - startMs;
    await delay(RECOVERY_POLL_MS);
  }
  return Number.POSITIVE_INFINITY;
}

/** The balance once nothing changes any more. */
async function settle({ store, venue }: Stage, losses: readonly LossyTime[]): Promise<Balance> {
  const expected = expectedCandles(venue.trades);
  const startMs = performance.now();
  let changedMs = startMs;
  let last = await balance(store, expected, losses);
  while (performance.now() - startMs < SETTLE_DEADLINE_MS) {
    const { unfounded, wrong, absent, excused } = last.counts;
    if (unfounded + wrong + absent + excused === 0 || performance.now() - changedMs > SETTLED_MS) break;
    await delay(SETTLE_POLL_MS);
    const now = await balance(store, expected, losses);
    if (now.complaints.join() !== last.complaints.join()) changedMs = performance.now();
    last = now;
  }
  return last;
}
