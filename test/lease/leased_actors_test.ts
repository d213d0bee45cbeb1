import assert from "node:assert/strict";
import type { Actor, ActorState } from "../../src/actor/actor.ts";
import { supervise } from "../../src/actor/supervisor.ts";
import type { Lease } from "../../src/lease/lease.ts";
import { LeasedActors } from "../../src/lease/leased_actors.ts";
import { WorkerGroup } from "../../src/lease/worker_group.ts";
import { createLog } from "../../src/observe/log.ts";
import { Tally } from "../../src/observe/tally.ts";
import { type BusTest, busTest, eventually } from "../bus/harness.ts";

const PIECES = ["kline.0", "kline.1", "kline.2", "kline.3"];
const log = createLog("silent");

/** Supervises the actors of a worker, as a process does. */
async function startActors({ connect, signal }: BusTest, create: (lease: Lease) => Actor) {
  const bus = await connect();
  const group = new WorkerGroup(bus, { pieces: PIECES, log, newBroker: true });
  const stop = new AbortController();
  const states = new Map<string, ActorState>();
  const supervision = { log, states, events: new Tally(), minDelayMs: 10, maxFailures: 2 };
  const actors = new LeasedActors({ group, permissions: { net: [], env: [] }, create, supervision });
  const done = supervise([actors], { ...supervision, signal: AbortSignal.any([signal, stop.signal]) });
  done.catch(() => undefined);
  return { group, states, events: supervision.events, stop, done };
}

function createActor({ piece }: Lease, failures: { left: number }): Actor {
  return {
    name: piece,
    permissions: { net: [], env: [] },
    async run({ signal, ready }) {
      if (failures.left-- > 0) throw new Error("fails at first");
      ready();
      await eventually("the actor shall stop", () => signal.aborted, 60_000);
    },
  };
}

const readyIn = (states: ReadonlyMap<string, ActorState>) =>
  PIECES.filter((piece) => states.get(piece) === "ready").length;

busTest(
  "LeasedActors runs an actor for each piece that is held, supervised, for as long as it is",
  async (t) => {
    const first = await startActors(t, (lease) => createActor(lease, { left: 1 }));
    await eventually("all run", () => readyIn(first.states) === 4);
    assert.equal(first.events.get("failed"), 4, "each failed once and was started afresh");
    const second = await startActors(t, (lease) => createActor(lease, { left: 0 }));
    await eventually("they share", () => readyIn(first.states) === 2 && readyIn(second.states) === 2);
    assert.equal(first.states.size, 3, "the state of an actor that is handed over is gone");
    second.stop.abort();
    await second.done;
    await eventually("the first has all again", () => readyIn(first.states) === 4);
    first.stop.abort();
    await first.done;
    assert.equal(first.group.events.get("lost"), 0);
  },
);

busTest("LeasedActors ends with what an actor could not be kept running for", async (t) => {
  const { done, states, group } = await startActors(t, (lease) =>
    createActor(lease, { left: lease.piece === "kline.1" ? 100 : 0 }),
  );
  await assert.rejects(done, /Cannot keep actor "kline.1" running/);
  assert.equal(states.get("kline.1"), "escalated");
  assert.equal(group.events.get("released"), 4);
});
