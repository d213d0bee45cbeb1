import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { Bus } from "../../src/bus/connection.ts";
import { ObservationClock } from "../../src/lease/observation_clock.ts";
import { Presence } from "../../src/lease/presence.ts";
import { busTest, eventually } from "../bus/harness.ts";

const LOOK_MS = 20;

function startPresence(bus: Bus, worker: string, signal: AbortSignal) {
  const clock = new ObservationClock();
  let unseen = 0;
  const presence = new Presence(bus, { worker, clock, onUnseen: () => unseen++ });
  signal.addEventListener("abort", () => presence.close());
  return {
    presence,
    unseen: () => unseen,
    /** Looks for a worker for some time; whether it was found gone at any moment. */
    async findsGone(other: string, forMs: number): Promise<boolean> {
      for (const endMs = performance.now() + forMs; performance.now() < endMs; ) {
        presence.look(new Set([other]));
        if (presence.isGone(other)) return true;
        await delay(LOOK_MS);
      }
      return false;
    },
  };
}

busTest("Presence finds a worker gone once its connection is, and not before", async (t) => {
  const one = startPresence(t.bus, "one", t.signal);
  const otherBus = await t.connect();
  const other = startPresence(otherBus, "other", t.signal);
  await eventually("both are seen", () => one.presence.isSeen && other.presence.isSeen);
  assert.equal(await one.findsGone("other", 1_000), false);
  await otherBus.connection.close();
  assert.equal(await one.findsGone("other", 10_000), true);
  one.presence.look(new Set());
  assert.equal(one.presence.isGone("other"), false, "nobody suspects it any more");
});

busTest("Presence does not take those for gone who come back with the server", async (t) => {
  const one = startPresence(t.bus, "one", t.signal);
  const other = startPresence(await t.connect(), "other", t.signal);
  await eventually("both are seen", () => one.presence.isSeen && other.presence.isSeen);
  t.server.kill("SIGKILL");
  await eventually("the loss is noticed", () => one.unseen() === 1 && other.unseen() === 1);
  await t.server.restart();
  assert.equal(await one.findsGone("other", 3_000), false);
  assert.ok(one.presence.isSeen && other.presence.isSeen);
});

busTest(
  "Presence says that it is not seen where the server does not let it listen",
  async (t) => {
    const one = startPresence(t.bus, "one", t.signal);
    await eventually("the server refuses", () => t.bus.events.get("error") > 0);
    assert.equal(one.presence.isSeen, false);
  },
  {
    extraConfig: `
      authorization { users: [{ user: worker, password: worker, permissions: { subscribe: "_INBOX.>" } }] }
      no_auth_user: worker
    `,
  },
);
