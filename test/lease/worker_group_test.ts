import assert from "node:assert/strict";
import { NOBODY, readRecord } from "../../src/lease/lease_record.ts";
import { type BusTest, busTest, eventually } from "../bus/harness.ts";
import { PIECES, startWorker, type TestWorker } from "./group_harness.ts";
import { HolderLog } from "./holder_log.ts";

/** What is promised where nobody has to be waited for, and what a busy machine may add to it. */
const HAND_OVER_DEADLINE_MS = 1_000 + 4_000;

function tokensOf({ group }: TestWorker): Map<string, number> {
  return new Map(group.status().held.map(({ piece, token }) => [piece, token]));
}

/** What the bucket has of a piece. */
async function recordOf({ bus }: BusTest, piece: string) {
  const { streams } = bus.streams;
  const last = { last_by_subj: `$KV.LEASES.${piece}` };
  const message = await streams.getMessage("KV_LEASES", last).catch(() => undefined);
  return message && readRecord(message.data);
}

busTest(
  "WorkerGroup divides evenly, moves what it must when workers join and leave, and no more",
  async (t) => {
    const log = new HolderLog();
    const first = await startWorker(t, log);
    await first.holds(8);
    const alone = tokensOf(first);
    const second = await startWorker(t, log);
    await Promise.all([first.holds(4), second.holds(4, HAND_OVER_DEADLINE_MS)]);
    for (const [piece, token] of tokensOf(first))
      assert.equal(token, alone.get(piece), "it kept what it has");
    for (const [piece, token] of tokensOf(second)) assert.ok(token > alone.get(piece)!);
    assert.equal(first.group.events.get("handed_over"), 4);

    const third = await startWorker(t, log);
    await eventually("three share", () =>
      [first, second, third].every((worker) => worker.held().length >= 2),
    );
    await eventually("all is held", () => first.group.status().idle.length === 0);
    assert.equal(third.group.events.get("acquired"), 2, "a third of eight moved");
    assert.equal(first.group.events.get("acquired") + second.group.events.get("acquired"), 12);

    const stoppedMs = performance.now();
    await first.stop();
    await Promise.all([second.holds(4), third.holds(4)]);
    assert.ok(performance.now() - stoppedMs < HAND_OVER_DEADLINE_MS);
    await Promise.all([second.stop(), third.stop()]);
    for (const { group } of [first, second, third]) {
      assert.equal(group.events.get("released"), group.events.get("acquired"), "nothing was lost");
      assert.equal(group.events.get("lost") + group.events.get("taken_from_dead"), 0);
      assert.equal(group.events.get("conflicts"), 0, "nobody tried what was another's");
    }
    assert.equal((await recordOf(t, "kline.0"))!.owner, NOBODY);
    log.assertExclusive();
  },
);

busTest("WorkerGroup gives each piece to one who offers it", async (t) => {
  const log = new HolderLog();
  const both = await startWorker(t, log, { pieces: ["kline.0", "kline.1", "candles"] });
  await both.holds(3);
  const kline = await startWorker(t, log, { pieces: ["kline.0", "kline.1", "ingest.sim"] });
  await Promise.all([both.holds(2), kline.holds(2)]);
  assert.ok(both.held().includes("candles"));
  assert.ok(kline.held().includes("ingest.sim"));
  assert.deepEqual(kline.group.status().workers, { [both.group.worker]: 2, [kline.group.worker]: 2 });
  log.assertExclusive();
});

busTest("WorkerGroup lets work that ends finish while it is held, and tells why", async (t) => {
  const log = new HolderLog();
  const ends: string[] = [];
  const finish = new AbortController();
  const first = await startWorker(t, log, {
    pieces: ["kline.0", "kline.1"],
    work: async (lease) => {
      await eventually("the lease ends", () => lease.signal.aborted, 60_000);
      assert.equal((lease.signal.reason as Error).name, "AbortError");
      // Longer than a lease lasts without being renewed.
      const heldMs = performance.now() + 3_500;
      await eventually("the work is finished", () => performance.now() > heldMs || finish.signal.aborted);
      ends.push(`${lease.end} ${lease.isHeld() ? "held" : "not held"}`);
    },
  });
  await first.holds(2);
  const second = await startWorker(t, log, { pieces: ["kline.0", "kline.1"] });
  await second.holds(1);
  assert.deepEqual(ends, ["handed_over held"]);
  finish.abort();
  await first.stop();
  assert.deepEqual(ends, ["handed_over held", "stopped held"]);
});

busTest("WorkerGroup gives everything back and throws when work fails", async (t) => {
  const { ended } = await startWorker(t, new HolderLog(), {
    work: async ({ piece, signal }) => {
      await eventually("the lease ends", () => signal.aborted || piece === "kline.3");
      if (piece === "kline.3") throw new Error("cannot work");
    },
  });
  await assert.rejects(ended, /cannot work/);
  for (const piece of PIECES) assert.equal((await recordOf(t, piece))?.owner ?? NOBODY, NOBODY);
});

busTest("WorkerGroup takes again what its work left by itself", async (t) => {
  let works = 0;
  const { group, holds } = await startWorker(t, new HolderLog(), {
    pieces: ["candles"],
    work: async ({ signal }) => {
      if (++works > 1) await eventually("the lease ends", () => signal.aborted, 60_000);
    },
  });
  await eventually("it works again", () => works === 2);
  await holds(1);
  assert.equal(group.events.get("released"), 1);
});

busTest("WorkerGroup does not run twice at the same time", async (t) => {
  const { group } = await startWorker(t, new HolderLog());
  await assert.rejects(
    group.run(t.signal, () => Promise.resolve()),
    /Cannot run a worker group twice/,
  );
});

/** All that a worker's user needs for the group; for this test, the user that everybody is. */
const LEAST_PERMISSIONS = `
  authorization { users: [{ user: worker, password: worker, permissions: {
    publish: [
      "$KV.LEASES.>", "tickline.workers", "tickline.workers.*"
      "$JS.API.STREAM.CREATE.KV_LEASES", "$JS.API.CONSUMER.CREATE.KV_LEASES.*.$KV.LEASES.>"
      "$JS.API.CONSUMER.MSG.NEXT.KV_LEASES.*", "$JS.API.CONSUMER.DELETE.KV_LEASES.*"
    ]
    subscribe: ["tickline.workers", "tickline.workers.*", "_INBOX.>"]
  } }] }
  no_auth_user: worker
`;

busTest(
  "WorkerGroup works with no more permissions than these",
  async (t) => {
    const log = new HolderLog();
    const first = await startWorker(t, log);
    await first.holds(8);
    const second = await startWorker(t, log);
    await Promise.all([first.holds(4), second.holds(4)]);
    await Promise.all([first.stop(), second.stop()]);
    assert.equal(first.bus.events.get("error") + second.bus.events.get("error"), 0, "nothing was refused");
  },
  { extraConfig: LEAST_PERMISSIONS },
);
