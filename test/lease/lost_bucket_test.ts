import assert from "node:assert/strict";
import { busTest, eventually } from "../bus/harness.ts";
import { count, startTwo } from "./group_harness.ts";
import { HolderLog } from "./holder_log.ts";

const DEADLINE_MS = 15_000;

busTest("WorkerGroup keeps its leases when the bucket, or what is in it, is deleted by hand", async (t) => {
  const log = new HolderLog();
  const workers = await startTwo(t, log);
  const before = workers.map((worker) => worker.group.status().held);
  const { streams } = t.bus.streams;
  const keys = async () => (await streams.info("KV_LEASES").catch(() => undefined))?.state.messages ?? 0;
  for (const lose of [
    () => streams.delete("KV_LEASES"),
    () => streams.purge("KV_LEASES"),
    // As `nats kv del` does.
    () => t.bus.connection.jetstream().publish("$KV.LEASES.kline.3", new Uint8Array()),
  ]) {
    const renewedMs = performance.now() + 3_500;
    await lose();
    await eventually("all are in the bucket again", async () => (await keys()) === 8, DEADLINE_MS);
    await eventually("leases that were not renewed would have ended", () => performance.now() > renewedMs);
    assert.deepEqual(
      workers.map((worker) => worker.group.status().held),
      before,
    );
  }
  assert.equal(count(workers, "lost"), 0);
  await Promise.all(workers.map((worker) => worker.stop()));
  log.assertExclusive();
});
