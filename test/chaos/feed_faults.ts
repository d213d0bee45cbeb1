import { setTimeout as delay } from "node:timers/promises";
import { MARKETS } from "./chaos_venue.ts";
import { AT_ONCE, type FaultKind, OUTAGE_MS } from "./fault_kind.ts";

const SPELL_MS = [500, 5_000] as const;
const BURST = 10;
const MAX_SKIPPED = 200_000;
const LIE_EVERY_MS = 300;

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
  {
    // Found by pings, which takes up to 10 s.
    name: "venue half open",
    promise: "3: what was lost shows",
    victim: "venue",
    loses: true,
    lastsMs: AT_ONCE,
    inject: async ({ wire }) => wire.cut(),
  },
  {
    name: "venue refuses",
    promise: "3: what was lost shows",
    victim: "venue",
    loses: true,
    lastsMs: SPELL_MS,
    async inject({ venue }, forMs) {
      venue.server.refuse(forMs);
      venue.server.terminateAll();
      await delay(forMs);
    },
  },
  {
    name: "numbers skipped",
    promise: "3: shows where it is, and only there",
    victim: "venue",
    loses: false,
    lastsMs: AT_ONCE,
    async inject({ venue }, _forMs, random) {
      venue.skip(random.integer(0, MARKETS.length - 1), random.integer(1, MAX_SKIPPED));
    },
  },
  {
    name: "trades disordered",
    promise: "1: nothing changes",
    victim: "venue",
    loses: false,
    lastsMs: SPELL_MS,
    async inject({ venue }, forMs) {
      venue.disorder();
      await delay(forMs);
      venue.order();
    },
  },
  {
    name: "ten times the trades",
    promise: "4: nothing is lost",
    victim: "venue",
    loses: false,
    lastsMs: SPELL_MS,
    async inject({ venue }, forMs) {
      venue.hurry(BURST);
      await delay(forMs);
      venue.hurry(1);
    },
  },
  {
    name: "impossible trades",
    promise: "3: each is refused, and nothing changes",
    victim: "venue",
    loses: false,
    lastsMs: SPELL_MS,
    async inject({ venue }, forMs) {
      const endMs = performance.now() + forMs;
      for (let market = 0; performance.now() < endMs; market = (market + 1) % MARKETS.length) {
        venue.lie(market);
        await delay(LIE_EVERY_MS);
      }
    },
  },
];
