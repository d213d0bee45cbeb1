import { randomInt } from "node:crypto";

const RANDOM_SPAN = 4096;

/**
 * A number for one life of a publisher: the time in ms, then 12 random bits, for two that start in the same ms.
 * A later life has a larger number as long as the host's clock does not go back; a safe integer until 2039.
 */
export function createEpoch(nowMs: number = Date.now()): number {
  return nowMs * RANDOM_SPAN + randomInt(RANDOM_SPAN);
}

/** When a publisher's life began, ms since the epoch by its own clock. */
export function startOfEpochMs(epoch: number): number {
  return Math.floor(epoch / RANDOM_SPAN);
}
