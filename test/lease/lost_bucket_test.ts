import { busTest, eventually } from "../bus/harness.ts";
import { count, startTwo } from "./group_harness.ts";
import { HolderLog } from "./holder_log.ts";

const DEADLINE_MS = 15_000;

busTest(
  "WorkerGroup makes the bucket anew when it was purged or deleted, and takes its share again",
  async (t) => {
    const log = new HolderLog();
    const workers = await startTwo(t, log);
    for (const lose of [
      () => t.bus.streams.streams.delete("KV_LEASES"),
      () => t.bus.streams.streams.purge("KV_LEASES"),
    ]) {
      const acquired = count(workers, "acquired");
      await lose();
      await eventually("all is acquired anew", () => count(workers, "acquired") >= acquired + 8, DEADLINE_MS);
      await Promise.all(workers.map((worker) => worker.holds(4, DEADLINE_MS)));
    }
    await Promise.all(workers.map((worker) => worker.stop()));
    log.assertExclusive();
  },
);
