import { setTimeout as delay } from "node:timers/promises";
import { AT_ONCE, type FaultKind, OUTAGE_MS } from "./fault_kind.ts";

/** What the venue does to us. */
export const FEED_FAULTS: readonly FaultKind[] = [
  {
    name: "venue cuts off",
    promise: "3: what was lost shows",
    victim: "venue",
    loses: true,
    lastsMs: AT_ONCE,
    inject: async ({ venue }) => venue.server.terminateAll(),
  },
  {
    name: "venue mute",
    promise: "3: what was lost shows",
    victim: "venue",
    loses: true,
    lastsMs: OUTAGE_MS,
    async inject({ venue }, forMs) {
      venue.server.mute(forMs);
      await delay(forMs);
    },
  },
  {
    name: "duplicates",
    promise: "1: nothing changes",
    victim: "venue",
    loses: false,
    lastsMs: AT_ONCE,
    inject: async ({ venue }) => venue.repeat(500),
  },
];
