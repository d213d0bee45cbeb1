import { type FaultKind, FREEZE_MS, freeze, killServer, OUTAGE_MS } from "./fault_kind.ts";

/** What happens to InfluxDB. */
export const DATABASE_FAULTS: readonly FaultKind[] = [
  {
    name: "influxd killed",
    promise: "6: nothing is lost",
    victim: "influxd",
    loses: false,
    lastsMs: OUTAGE_MS,
    inject: ({ influxd }, forMs) => killServer(influxd, forMs),
  },
  {
    name: "influxd frozen",
    promise: "6: nothing is lost",
    victim: "influxd",
    loses: false,
    lastsMs: FREEZE_MS,
    inject: ({ influxd }, forMs) => freeze({ send: (signal) => influxd.kill(signal) }, forMs),
  },
];
