import { BROKER_FAULTS } from "./broker_faults.ts";
import { DATABASE_FAULTS } from "./database_faults.ts";
import { AT_ONCE, type FaultKind } from "./fault_kind.ts";
import { FEED_FAULTS } from "./feed_faults.ts";
import { PROCESS_FAULTS } from "./process_faults.ts";

/** Shows what the measurement itself takes. */
const NOTHING: FaultKind = {
  name: "nothing",
  promise: "7: a candle is there `CLOSE_DELAY` after its end",
  victim: "nobody",
  loses: false,
  lastsMs: AT_ONCE,
  inject: async () => undefined,
};

export const FAULTS: readonly FaultKind[] = [
  NOTHING,
  ...PROCESS_FAULTS,
  ...BROKER_FAULTS,
  ...DATABASE_FAULTS,
  ...FEED_FAULTS,
];
