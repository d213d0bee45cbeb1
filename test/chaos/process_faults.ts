import type { Random } from "../../src/simulator/random.ts";
import { AT_ONCE, type FaultKind, FREEZE_MS, freeze } from "./fault_kind.ts";
import type { Crew } from "./stage.ts";

/** What happens to our own processes. */
export const PROCESS_FAULTS: readonly FaultKind[] = [
  {
    name: "worker killed",
    promise: "5: nothing is lost; others take over when the lease has ended, within 5 s",
    victim: "worker",
    loses: false,
    lastsMs: AT_ONCE,
    inject: ({ workers }, _forMs, random) => workers.replace(anyOf(workers, random)),
  },
  {
    name: "worker frozen",
    promise: "5: nothing is lost, nothing stale is written",
    victim: "worker",
    loses: false,
    lastsMs: FREEZE_MS,
    inject: ({ workers }, forMs, random) => freeze(workers.members[anyOf(workers, random)]!, forMs),
  },
  {
    name: "ingest killed",
    promise: "5: another takes over within 5 s; 3: what was lost shows",
    victim: "ingest",
    loses: true,
    lastsMs: AT_ONCE,
    inject: ({ ingests }, _forMs, random) => ingests.replace(anyOf(ingests, random)),
  },
  {
    name: "ingest frozen",
    promise: "5: another takes over within 5 s; 3: what was lost shows",
    victim: "ingest",
    loses: true,
    lastsMs: FREEZE_MS,
    inject: ({ ingests }, forMs, random) => freeze(ingests.members[anyOf(ingests, random)]!, forMs),
  },
];

function anyOf({ members }: Crew, random: Random): number {
  return random.integer(0, members.length - 1);
}
