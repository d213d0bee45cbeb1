import assert from "node:assert/strict";
import { test } from "node:test";
import { type Actor, FatalError } from "../../src/actor/actor.ts";
import { supervise } from "../../src/actor/supervisor.ts";
import { createLog } from "../../src/observe/log.ts";
import { Observation } from "../../src/run/observation.ts";

test("Observation names the actors that are not ready, and complains of those that escalated only", async () => {
  const observation = new Observation(new AbortController().signal);
  observation.roles = {};
  assert.deepEqual(observation.obstacles(), []);
  const seen: string[][] = [];
  const note = () => seen.push(observation.obstacles(), observation.ailments());
  const actor = (name: string, end: () => Promise<void>): Actor => ({
    name,
    permissions: { net: [], env: [] },
    async run({ ready, signal }) {
      note();
      ready();
      note();
      await end();
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  });
  const steady = actor("steady", () => Promise.resolve());
  const hopeless = actor("hopeless", () => Promise.reject(new FatalError("no such market")));
  const options = { signal: new AbortController().signal, log: createLog("silent") };
  await assert.rejects(supervise([steady, hopeless], { ...options, ...observation }), FatalError);
  assert.deepEqual(seen, [
    ['actor "steady" is starting', 'actor "hopeless" is waiting'],
    [],
    ['actor "hopeless" is waiting'],
    [],
    ['actor "hopeless" is starting'],
    [],
    [],
    [],
  ]);
  assert.deepEqual(observation.ailments(), ['actor "hopeless" is escalated']);
  assert.equal(observation.events.get("escalated"), 1);
});

test("Observation is not ready before there are roles, and once the process shall stop", () => {
  const stop = new AbortController();
  const observation = new Observation(stop.signal);
  assert.match(observation.obstacles().join(), /is starting/);
  observation.roles = {};
  assert.deepEqual(observation.obstacles(), []);
  stop.abort();
  assert.match(observation.obstacles().join(), /is stopping/);
  assert.deepEqual(observation.ailments(), []);
});
