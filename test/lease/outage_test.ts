import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { busTest, eventually } from "../bus/harness.ts";
import { count, startTwo } from "./group_harness.ts";
import { HolderLog } from "./holder_log.ts";

const DEADLINE_MS = 15_000;

busTest("WorkerGroup keeps its leases while the broker is away for a moment", async (t) => {
  const log = new HolderLog();
  const workers = await startTwo(t, log);
  const before = workers.map((worker) => worker.group.status().held);
  t.server.kill("SIGKILL");
  await delay(500);
  await t.server.restart();
  const renewedMs = performance.now() + 3_500;
  await eventually("leases that were not renewed would have ended", () => performance.now() > renewedMs);
  assert.deepEqual(
    workers.map((worker) => worker.group.status().held),
    before,
  );
  await Promise.all(workers.map((worker) => worker.stop()));
  log.assertExclusive();
});

busTest(
  "WorkerGroup holds nothing while the broker is away, and then goes on with the same leases",
  async (t) => {
    const log = new HolderLog();
    const workers = await startTwo(t, log);
    const before = workers.map((worker) => worker.group.status().held);
    t.server.kill("SIGKILL");
    await Promise.all(workers.map((worker) => worker.holds(0)));
    const awayMs = performance.now() + 4_500;
    await eventually("leases would have ended", () => performance.now() > awayMs);
    for (const worker of workers) assert.deepEqual(worker.held(), []);
    await t.server.restart();
    await Promise.all(workers.map((worker) => worker.holds(4, DEADLINE_MS)));
    assert.deepEqual(
      workers.map((worker) => worker.group.status().held),
      before,
    );
    assert.equal(count(workers, "lost") + count(workers, "taken_from_dead"), 0);
    await Promise.all(workers.map((worker) => worker.stop()));
    log.assertExclusive();
  },
);
