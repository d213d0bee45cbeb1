import assert from "node:assert/strict";
import { test } from "node:test";
import { Coverage, placeToReadAfter } from "../../src/kline/coverage.ts";
import type { MarketSnapshot, TickPlace } from "../../src/kline/market_snapshot.ts";
import { createEpoch } from "../../src/wire/epoch.ts";
import { busTest, eventually } from "../bus/harness.ts";
import { startActor, ticksOf } from "./one_actor.ts";

const at = (seq: number, created = "then"): TickPlace => ({ created, seq, storedMs: 1_000 * seq });
const snapshot = (read: TickPlace | undefined, covered: TickPlace | undefined) =>
  ({ read, covered }) as MarketSnapshot;

test("placeToReadAfter() is where the oldest snapshot was, and before any market without one", () => {
  assert.deepEqual(placeToReadAfter([snapshot(at(7), at(1)), snapshot(at(9), at(8))]), at(7));
  assert.deepEqual(placeToReadAfter([snapshot(at(7), at(1)), snapshot(at(9), at(3))]), at(3));
});

test("placeToReadAfter() is nowhere if a snapshot does not tell, or tells of another stream", () => {
  assert.equal(placeToReadAfter([]), undefined);
  assert.equal(placeToReadAfter([snapshot(undefined, at(1)), snapshot(at(9), at(8))]), undefined);
  assert.equal(placeToReadAfter([snapshot(at(7), at(7)), snapshot(at(9), undefined)]), undefined);
  assert.equal(placeToReadAfter([snapshot(at(7, "before"), at(7)), snapshot(at(9), at(8))]), undefined);
});

test("Coverage has all markets only while every one has a snapshot, and none once some are gone", () => {
  const coverage = new Coverage();
  coverage.add("a");
  assert.ok(!coverage.hasAll(["a", "b"]));
  coverage.add("b");
  assert.ok(coverage.hasAll(["a", "b"]));
  coverage.reach(at(3));
  assert.deepEqual(coverage.place, at(3));
  coverage.clear();
  assert.ok(!coverage.hasAll(["a"]));
  assert.equal(coverage.place, undefined);
});

const MESSAGES = 200;

busTest("a KlineActor that goes on from snapshots reads no more than what came since", async (t) => {
  for (const name of ["TICKS", "CANDLES", "LIVE", "SNAPSHOTS"] as const) await t.streams.ensure(name);
  const epoch = createEpoch(Date.now());
  const startMs = Date.now();
  let seq = 0;
  const send = () =>
    t.bus.connection
      .jetstream()
      .publish("ticks.0.binance", ticksOf({ epoch, seq: ++seq }, [{ id: seq, timeMs: startMs + seq }]));
  const first = startActor(t);
  await first.ready;
  for (let message = 0; message < MESSAGES; message++) await send();
  await eventually("they are read", async () => first.actor.status().messages === MESSAGES);
  // A snapshot says that of every market there is one only once there was.
  const stored = first.actor.snapshots.get("stored");
  await eventually("ten more snapshots", async () => first.actor.snapshots.get("stored") >= stored + 10);
  await first.stop();
  await send();
  const second = startActor(t);
  await second.ready;
  await eventually("the next is read", async () => second.actor.ticks.get("accepted") === 1);
  await send();
  await eventually("and the next", async () => second.actor.ticks.get("accepted") === 2);
  await second.stop();
  assert.ok(second.actor.status().messages <= 10, `${second.actor.status().messages} messages`);
  assert.equal(second.actor.status().lostBatches, 0);
});
