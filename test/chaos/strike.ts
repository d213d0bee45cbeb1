import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "../../src/simulator/random.ts";
import type { LossyTime } from "./balance.ts";
import type { FaultKind } from "./fault_kind.ts";
import { isStored, type Stage } from "./stage.ts";

const RECOVERY_DEADLINE_MS = 60_000;
const STORED_POLL_MS = 100;

/** A fault that was, from its beginning until what it may have cost was over. */
export interface FaultRecord extends LossyTime {
  readonly name: string;
  readonly loses: boolean;
  readonly erases: FaultKind["erases"];
  /** How long it lasted, ms; 0 for what is done in a moment. */
  readonly forMs: number;
  /** Whether no other fault struck before everything was well again. */
  readonly isAlone: boolean;
  /** From its end until trades made later were in the open candles of all markets, ms; Infinity if they never were. */
  readonly liveMs: number;
  /** From its end until all markets had a stored candle that began later, ms. */
  readonly storedMs: number;
}

/** Lets a fault happen, and waits until everything is well again. */
export async function strike(
  stage: Stage,
  { name, loses, erases, lastsMs, lingersMs = 0, inject }: FaultKind,
  { random, isAlone }: { random: Random; isAlone: boolean },
): Promise<FaultRecord> {
  const forMs = random.integer(...lastsMs);
  const fromMs = Date.now();
  await inject(stage, forMs, random);
  const [live, storedMs] = await Promise.all([untilLive(stage, lingersMs), untilStored(stage)]);
  return { name, loses, erases, forMs, isAlone, fromMs, toMs: live.atMs, liveMs: live.afterMs, storedMs };
}

async function untilLive(
  { venue, pulse }: Stage,
  lingersMs: number,
): Promise<{ atMs: number; afterMs: number }> {
  const startMs = performance.now();
  let isLive = await pulse.reaches(venue.nextIds, RECOVERY_DEADLINE_MS);
  let endMs = performance.now();
  if (lingersMs > 0) {
    await delay(Math.max(0, startMs + lingersMs - endMs));
    isLive = await pulse.reaches(venue.nextIds, RECOVERY_DEADLINE_MS);
    endMs = Math.max(endMs, pulse.pausedUntilMs);
  }
  return { atMs: Date.now(), afterMs: isLive ? endMs - startMs : Number.POSITIVE_INFINITY };
}

async function untilStored(stage: Stage): Promise<number> {
  const startMs = performance.now();
  const sinceMs = Date.now();
  while (performance.now() - startMs < RECOVERY_DEADLINE_MS) {
    if (await isStored(stage, sinceMs)) return performance.now() - startMs;
    await delay(STORED_POLL_MS);
  }
  return Number.POSITIVE_INFINITY;
}
