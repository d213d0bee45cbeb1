import assert from "node:assert/strict";
import { Snapshots } from "../../src/bus/snapshots.ts";
import { busTest } from "./harness.ts";

const SUBJECT = "snapshots.3.binance.BTC-USDT";
const bytes = (text: string) => Buffer.from(text);

busTest(
  "save() writes over the snapshot that it knows, and load() finds the latest of each subject",
  async (t) => {
    await t.streams.ensure("SNAPSHOTS");
    const snapshots = new Snapshots(t.bus, t.streams);
    assert.deepEqual(await snapshots.load("snapshots.3.>"), []);
    const first = await snapshots.save(SUBJECT, bytes("one"), 0);
    assert.equal(first.kind, "stored");
    const revision = first.kind === "stored" ? first.revision : 0;
    const second = await snapshots.save(SUBJECT, bytes("two"), revision);
    assert.equal(second.kind, "stored");
    await snapshots.save("snapshots.3.binance.ETH-USDT", bytes("other"), 0);
    await snapshots.save("snapshots.4.binance.ADA-USDT", bytes("of another shard"), 0);
    const loaded = await snapshots.load("snapshots.3.>");
    assert.deepEqual(loaded.map(({ subject, data }) => [subject, Buffer.from(data).toString()]).sort(), [
      [SUBJECT, "two"],
      ["snapshots.3.binance.ETH-USDT", "other"],
    ]);
    for (const { storedMs } of loaded) assert.ok(Math.abs(storedMs - Date.now()) < 60_000);
  },
);

busTest("save() of a stale owner changes nothing, and tells who came after it", async (t) => {
  await t.streams.ensure("SNAPSHOTS");
  const stale = new Snapshots(t.bus, t.streams);
  const fresh = new Snapshots(await t.connect(), t.streams);
  const first = await stale.save(SUBJECT, bytes("stale"), 0);
  const revision = first.kind === "stored" ? first.revision : 0;
  await fresh.save(SUBJECT, bytes("fresh"), revision);
  const late = await stale.save(SUBJECT, bytes("late"), revision);
  assert.equal(late.kind, "superseded");
  assert.equal(late.kind === "superseded" && Buffer.from(late.by.data).toString(), "fresh");
  const [snapshot] = await stale.load("snapshots.3.>");
  assert.equal(Buffer.from(snapshot!.data).toString(), "fresh");
});

busTest("save() says when the snapshots are gone with their stream, and can begin again", async (t) => {
  await t.streams.ensure("SNAPSHOTS");
  const snapshots = new Snapshots(t.bus, t.streams);
  const first = await snapshots.save(SUBJECT, bytes("one"), 0);
  const revision = first.kind === "stored" ? first.revision : 0;
  await t.bus.streams.streams.delete("SNAPSHOTS");
  assert.equal((await snapshots.save(SUBJECT, bytes("two"), revision)).kind, "failed");
  // It has had the stream made anew.
  assert.equal((await snapshots.save(SUBJECT, bytes("two"), revision)).kind, "absent");
  assert.equal((await snapshots.save(SUBJECT, bytes("two"), 0)).kind, "stored");
});
