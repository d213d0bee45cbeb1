import assert from "node:assert/strict";
import { type BusTest, busTest } from "../bus/harness.ts";
import { HolderLog } from "./holder_log.ts";
import { WorkerProcess } from "./worker_process.ts";

const PIECES = Array.from({ length: 8 }, (_, shard) => `kline.${shard}`);
/** What is promised, and what a busy machine may add to it. */
const TAKE_OVER_DEADLINE_MS = 5_000 + 5_000;

/** Two workers that have half of the pieces each. */
async function startTwo({ server, signal }: BusTest, log: HolderLog) {
  const first = new WorkerProcess(server.url, PIECES, log, signal);
  const second = new WorkerProcess(server.url, PIECES, log, signal);
  await Promise.all([first.holds(4), second.holds(4)]);
  return [first, second] as const;
}

busTest("WorkerGroup gives a killed worker's pieces to the others within 5 s", async (t) => {
  const log = new HolderLog();
  const [killed, heir] = await startTwo(t, log);
  killed.send("SIGKILL");
  await heir.holds(8, TAKE_OVER_DEADLINE_MS);
  heir.send("SIGTERM");
  await Promise.all([killed.ends(), heir.ends()]);
  log.assertExclusive();
});

busTest(
  "Lease is held no more by a worker that was frozen past its end, whatever it does first",
  async (t) => {
    const log = new HolderLog();
    const [frozen, heir] = await startTwo(t, log);
    frozen.send("SIGSTOP");
    await heir.holds(8, TAKE_OVER_DEADLINE_MS);
    frozen.send("SIGCONT");
    await Promise.all([frozen.holds(4), heir.holds(4)]);
    for (const worker of [frozen, heir]) worker.send("SIGTERM");
    await Promise.all([frozen.ends(), heir.ends()]);
    log.assertExclusive();
    const leases = PIECES.reduce((sum, piece) => sum + log.leases(piece), 0);
    assert.ok(leases >= 16, "all were taken, half of them by the heir, and half given back");
  },
);
