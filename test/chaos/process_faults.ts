import type { Random } from "../../src/simulator/random.ts";
import { AT_ONCE, type FaultKind, FREEZE_MS, freeze } from "./fault_kind.ts";
import type { Crew } from "./stage.ts";

/** What happens to our own processes. */
export const PROCESS_FAULTS: readonly FaultKind[] = [
  {
    name: "worker killed",
    victim: "worker",
    loses: false,
    lastsMs: AT_ONCE,
    inject: ({ workers }, _forMs, random) => workers.replace(anyOf(workers, random)),
  },
  {
    name: "worker frozen",
    victim: "worker",
    loses: false,
    lastsMs: FREEZE_MS,
    inject: ({ workers }, forMs, random) => freeze(workers.members[anyOf(workers, random)]!, forMs),
  },
  {
    name: "ingest killed",
    victim: "ingest",
    loses: true,
    lastsMs: AT_ONCE,
    inject: ({ ingests }, _forMs, random) => ingests.replace(anyOf(ingests, random)),
  },
  {
    name: "ingest frozen",
    victim: "ingest",
    loses: true,
    lastsMs: FREEZE_MS,
    inject: ({ ingests }, forMs, random) => freeze(ingests.members[anyOf(ingests, random)]!, forMs),
  },
];

function anyOf({ members }: Crew, random: Random): number {
  return random.integer(0, members.length - 1);
}
