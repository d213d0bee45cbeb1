import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Actor, type ActorContext, type ActorState, FatalError } from "../../src/actor/actor.ts";
import { type SuperviseOptions, supervise } from "../../src/actor/supervisor.ts";
import { createLog } from "../../src/observe/log.ts";
import { Tally } from "../../src/observe/tally.ts";

const LIMIT = { timeout: 10_000 };

test("supervise() starts each actor when the former is ready and stops them in reverse", LIMIT, async () => {
  const { seen, stop, done } = start((seen) => [
    actor("a", async ({ signal, ready }) => {
      seen.push("a starts");
      await delay(20);
      seen.push("a is ready");
      ready();
      await aborted(signal);
      seen.push("a ends");
    }),
    actor("b", async ({ signal, ready }) => {
      seen.push("b starts");
      ready();
      await aborted(signal);
      await delay(20);
      seen.push("b ends");
    }),
  ]);
  await until(() => seen.includes("b starts"));
  stop();
  await done;
  assert.deepEqual(seen, ["a starts", "a is ready", "b starts", "b ends", "a ends"]);
});

test("supervise() starts and stops all at once when told so", LIMIT, async () => {
  const { seen, stop, done } = start(
    (seen) =>
      ["a", "b"].map((name, index) =>
        actor(name, async ({ signal }) => {
          seen.push(`${name} starts`);
          await aborted(signal);
          await delay(index * 50);
          seen.push(`${name} ends`);
        }),
      ),
    { inOrder: false },
  );
  await until(() => seen.length === 2);
  stop();
  await done;
  assert.deepEqual(seen, ["a starts", "b starts", "a ends", "b ends"]);
});

test("supervise() restarts the actor that failed and no other", LIMIT, async () => {
  const { seen, stop, done, events } = start((seen) => [
    actor("steady", async ({ signal, ready }) => {
      seen.push("steady");
      ready();
      await aborted(signal);
    }),
    actor("shaky", async ({ signal }) => {
      seen.push("shaky");
      if (seen.length < 4) throw new Error("shaken");
      await aborted(signal);
    }),
  ]);
  await until(() => seen.length === 4);
  stop();
  await done;
  assert.deepEqual(seen, ["steady", "shaky", "shaky", "shaky"]);
  assert.equal(events.get("failed"), 2);
  assert.equal(events.total, 2);
});

test("supervise() restarts an actor that returns without being told to", LIMIT, async () => {
  const { seen, stop, done, events } = start((seen) => [
    actor("short", async ({ signal }) => {
      seen.push("life");
      if (seen.length === 3) await aborted(signal);
    }),
  ]);
  await until(() => seen.length === 3);
  stop();
  await done;
  assert.equal(events.get("returned"), 2);
});

test("supervise() waits longer after each failure until a life has lasted", LIMIT, async () => {
  let nowMs = 0;
  const livesMs = [0, 9_999, 10_000, 0];
  const waits: number[] = [];
  const { stop, done } = start(
    () => [
      actor("shaky", async ({ signal, ready }) => {
        const lifeMs = livesMs.shift();
        if (lifeMs === undefined) return aborted(signal);
        ready();
        nowMs += lifeMs;
        throw new Error("shaken");
      }),
    ],
    { now: () => nowMs, minDelayMs: 4, random: () => 1 },
    (line) => waits.push(Number(line.waitMs)),
  );
  await until(() => waits.length === 4);
  stop();
  await done;
  assert.deepEqual(waits, [4, 8, 4, 8]);
});

test("supervise() does not forgive failures at ready()", LIMIT, async () => {
  const waits: number[] = [];
  const { done } = start(
    () => [
      actor("shaky", async ({ ready }) => {
        ready();
        throw new Error("shaken");
      }),
    ],
    { minDelayMs: 1, maxDelayMs: 4, random: () => 1, maxFailures: 4 },
    (line) => waits.push(Number(line.waitMs)),
  );
  await assert.rejects(done, FatalError);
  assert.deepEqual(waits, [1, 2, 4, 4]);
});

test("supervise() stops all and throws when an actor fails too often", LIMIT, async () => {
  const cause = new Error("shaken");
  const { seen, done, events } = start(
    (seen) => [
      actor("steady", async ({ signal, ready }) => {
        ready();
        await aborted(signal);
        seen.push("steady ends");
      }),
      actor("shaky", () => Promise.reject(cause)),
    ],
    { maxDelayMs: 1, maxFailures: 3 },
  );
  await assert.rejects(done, (error) => {
    assert.ok(error instanceof FatalError);
    assert.equal(error.message, 'Cannot keep actor "shaky" running: it failed 4 times in 60000 ms');
    assert.equal(error.cause, cause);
    return true;
  });
  assert.deepEqual(seen, ["steady ends"]);
  assert.equal(events.get("failed"), 4);
  assert.equal(events.get("escalated"), 1);
});

test("supervise() does not count failures that lie further apart than the window", LIMIT, async () => {
  let nowMs = 0;
  let lives = 0;
  const { stop, done } = start(
    () => [
      actor("shaky", async ({ signal }) => {
        if (++lives > 8) return aborted(signal);
        nowMs += 31_000;
        throw new Error("shaken");
      }),
    ],
    { now: () => nowMs, maxDelayMs: 1, maxFailures: 2 },
  );
  await until(() => lives === 9);
  stop();
  await done;
});

for (const fatal of [
  new FatalError("no such market"),
  Object.assign(new Error("net"), { name: "NotCapable" }),
]) {
  test(`supervise() does not restart after a ${fatal.name}`, LIMIT, async () => {
    const { seen, done } = start((seen) => [
      actor("hopeless", () => {
        seen.push("life");
        return Promise.reject(fatal);
      }),
    ]);
    await assert.rejects(done, (error) => error === fatal);
    assert.deepEqual(seen, ["life"]);
  });
}

test("supervise() restarts a stalled actor", LIMIT, async () => {
  const { seen, stop, done, events } = start((seen) => [
    actor(
      "quiet",
      async ({ signal, beat }) => {
        seen.push("life");
        while (!signal.aborted) {
          await delay(2);
          if (seen.length === 2) beat();
        }
      },
      40,
    ),
  ]);
  await until(() => seen.length === 2);
  await delay(120); // as long as three stalls: the beats must keep the second life
  stop();
  await done;
  assert.equal(events.get("stalled"), 1);
  assert.deepEqual(seen, ["life", "life"]);
});

test("supervise() does not take a frozen process for a stalled actor", LIMIT, async () => {
  const { seen, stop, done, events } = start((seen) => [
    actor(
      "quick",
      async ({ signal, beat }) => {
        seen.push("life");
        while (!signal.aborted) {
          beat();
          await delay(1);
        }
      },
      40,
    ),
  ]);
  await until(() => seen.length === 1);
  for (let freeze = 0; freeze < 3; freeze++) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    await delay(5);
  }
  stop();
  await done;
  assert.equal(events.total, 0);
  assert.deepEqual(seen, ["life"]);
});

test("supervise() gives up an actor that does not heed the signal, and reports it", LIMIT, async () => {
  const lines: Record<string, unknown>[] = [];
  let release: () => void = () => {};
  const { stop, done, events, seen } = start(
    (seen) => [
      actor("good", async ({ signal, ready }) => {
        ready();
        await aborted(signal);
        seen.push("good ends");
      }),
      actor("deaf", async ({ ready }) => {
        ready();
        seen.push("deaf runs");
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      }),
    ],
    { stopDeadlineMs: 20 },
    (line) => lines.push(line),
  );
  await until(() => seen.includes("deaf runs"));
  stop();
  await done;
  release();
  assert.equal(events.get("abandoned"), 1);
  assert.deepEqual(
    lines.map(({ actor, msg }) => `${actor}: ${msg}`),
    ["deaf: actor did not stop cleanly"],
  );
  assert.equal(seen.at(-1), "good ends");
});

test("supervise() does not report an actor that ends by the signal's own error", LIMIT, async () => {
  const { seen, stop, done, events } = start((seen) => [
    actor("waits", async ({ signal }) => {
      seen.push("life");
      await delay(60_000, undefined, { signal });
    }),
  ]);
  await until(() => seen.length === 1);
  stop();
  await done;
  assert.equal(events.total, 0);
});

test("supervise() stops in the middle of a back-off", LIMIT, async () => {
  const lines: unknown[] = [];
  const { stop, done } = start(
    () => [actor("shaky", () => Promise.reject(new Error("shaken")))],
    { minDelayMs: 60_000, maxDelayMs: 60_000 },
    (line) => lines.push(line),
  );
  await until(() => lines.length === 1);
  stop();
  await done;
});

test("supervise() returns at once when the signal is aborted already", LIMIT, async () => {
  const { seen, done } = start((seen) => [actor("late", async () => void seen.push("life"))], {
    signal: AbortSignal.abort(),
  });
  await done;
  assert.deepEqual(seen, []);
});

test("supervise() piles up no listeners over restarts", LIMIT, async () => {
  const signals = new Set<AbortSignal>();
  const { controller, stop, done } = start(
    () => [
      actor("shaky", async ({ signal }) => {
        signals.add(signal);
        if (signals.size === 200) return aborted(signal);
        throw new Error("shaken");
      }),
    ],
    { maxDelayMs: 0, maxFailures: 1_000 },
  );
  await until(() => signals.size === 2);
  const before = getEventListeners(controller.signal, "abort").length;
  await until(() => signals.size === 200);
  assert.equal(getEventListeners(controller.signal, "abort").length, before);
  stop();
  await done;
});

test("supervise() says how each actor is at any time", LIMIT, async () => {
  const states = new Map<string, ActorState>();
  const seen: string[] = [];
  const note = () => seen.push([...states.values()].join(" "));
  let lives = 0;
  const { stop, done } = start(
    () => [
      actor("shaky", async ({ signal, ready }) => {
        note();
        if (++lives === 1) throw new Error("shaken");
        ready();
        note();
        await aborted(signal);
      }),
      actor("steady", async ({ signal, ready }) => {
        note();
        ready();
        note();
        await aborted(signal);
      }),
    ],
    { states },
    note,
  );
  await until(() => seen.length === 6);
  stop();
  await done;
  note();
  assert.deepEqual(seen, [
    "starting waiting",
    "failed waiting",
    "starting waiting",
    "ready waiting",
    "ready starting",
    "ready ready",
    "stopped stopped",
  ]);
});

test("supervise() leaves it to be seen which actor escalated", LIMIT, async () => {
  const states = new Map<string, ActorState>();
  const { done } = start(
    () => [
      actor("steady", async ({ signal, ready }) => {
        ready();
        await aborted(signal);
      }),
      actor("hopeless", () => Promise.reject(new FatalError("no such market"))),
      actor("late", () => Promise.reject(new Error("never started"))),
    ],
    { states },
  );
  await assert.rejects(done, FatalError);
  assert.deepEqual(Object.fromEntries(states), { steady: "stopped", hopeless: "escalated", late: "waiting" });
});

function actor(name: string, run: (context: ActorContext) => Promise<void>, stallMs?: number): Actor {
  return { name, permissions: { net: [], env: [] }, run, ...(stallMs === undefined ? {} : { stallMs }) };
}

/** Supervises with short delays; `seen` is for the actors to write down what happens. */
function start(
  actorsOf: (seen: string[]) => Actor[],
  options: Partial<SuperviseOptions> = {},
  onError: (line: Record<string, unknown>) => void = () => {},
) {
  const controller = new AbortController();
  const events = new Tally();
  const seen: string[] = [];
  const log = createLog("silent");
  log.error = (line: object, msg?: string) => onError({ ...line, msg });
  const done = supervise(actorsOf(seen), {
    signal: controller.signal,
    log,
    events,
    minDelayMs: 1,
    ...options,
  });
  return { controller, events, seen, done, stop: () => controller.abort() };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(1);
}
