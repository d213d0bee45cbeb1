import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { type BusTest, busTest, eventually } from "../bus/harness.ts";
import { startWorker, type TestWorker } from "./group_harness.ts";
import { HolderLog } from "./holder_log.ts";

const DEADLINE_MS = 15_000;

/** Two that share, on a bucket that knows all pieces. */
async function startTwo(t: BusTest, log: HolderLog): Promise<[TestWorker, TestWorker]> {
  const before = await startWorker(t, log);
  await before.holds(8);
  await before.stop();
  const first = await startWorker(t, log, { newBroker: false });
  const second = await startWorker(t, log, { newBroker: false });
  await Promise.all([first.holds(4), second.holds(4)]);
  return [first, second];
}

const count = (workers: readonly TestWorker[], event: string) =>
  workers.reduce((sum, { group }) => sum + group.events.get(event), 0);

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

busTest("WorkerGroup holds nothing while the broker is away, and then what it had", async (t) => {
  const log = new HolderLog();
  const workers = await startTwo(t, log);
  const before = workers.map((worker) => worker.held().sort());
  t.server.kill("SIGKILL");
  await Promise.all(workers.map((worker) => worker.holds(0, 3_000 + 5_000)));
  await delay(1_000);
  await t.server.restart();
  await Promise.all(workers.map((worker) => worker.holds(4, DEADLINE_MS)));
  assert.deepEqual(
    workers.map((worker) => worker.held().sort()),
    before,
  );
  assert.equal(count(workers, "lost"), 8);
  assert.equal(count(workers, "taken_from_dead"), 0);
  await Promise.all(workers.map((worker) => worker.stop()));
  log.assertExclusive();
});

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
