import assert from "node:assert/strict";
import { decodeSnapshot } from "../../src/kline/market_snapshot.ts";
import { createEpoch } from "../../src/wire/epoch.ts";
import { busTest, eventually } from "../bus/harness.ts";
import { SNAPSHOT_INTERVAL_MS, startActor, ticksOf } from "./one_actor.ts";

const SNAPSHOT_SUBJECT = "snapshots.0.binance.BTC-USDT";

busTest("a KlineActor that was resumed and has read nothing yet leaves the snapshot as it was", async (t) => {
  for (const name of ["TICKS", "CANDLES", "LIVE", "SNAPSHOTS"] as const) await t.streams.ensure(name);
  const { streams } = t.bus.streams;
  const stored = () => streams.getMessage("SNAPSHOTS", { last_by_subj: SNAPSHOT_SUBJECT });
  await t.bus.connection.jetstream().publish("ticks.0.binance", oneTrade());
  const first = startActor(t);
  await eventually("a snapshot is stored", () =>
    stored().then(
      () => true,
      () => false,
    ),
  );
  await first.stop();
  const before = await stored();

  await streams.purge("TICKS");
  const second = startActor(t);
  await second.ready;
  await new Promise((resolve) => setTimeout(resolve, 4 * SNAPSHOT_INTERVAL_MS));
  await second.stop();
  const after = await stored();
  assert.equal(after.seq, before.seq);
  assert.ok(Number.isFinite(decodeSnapshot(after.data).sentMs));
});

function oneTrade(): Uint8Array {
  const nowMs = Date.now();
  return ticksOf({ epoch: createEpoch(nowMs), seq: 1 }, [{ id: 1, timeMs: nowMs }]);
}
