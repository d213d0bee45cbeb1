import assert from "node:assert/strict";
import { tickSubject } from "../../src/bus/subject.ts";
import { TickPersistActor } from "../../src/persist/tick_persist.ts";
import type { InfluxLane } from "../../src/store/influx_lane.ts";
import { TickEncoder } from "../../src/wire/tick_encoder.ts";
import { eventually } from "../bus/harness.ts";
import { candle, type StoredTick, tickBatch } from "../store/stored_values.ts";
import { type PersistTest, persistTest } from "./harness.ts";

const SHARD = 3;
const EPOCH = 1_723_161_600_000;
const encoder = new TickEncoder();
const tick: StoredTick = {
  market: "BTC-USDT",
  id: 3_740_000_811,
  price: 61_698.02,
  quantity: 1e-8,
  side: "buy",
  timeMs: candle.openMs,
};

function createActor(t: PersistTest, lane: InfluxLane, tickMaxLagMs = 0): TickPersistActor {
  return new TickPersistActor({
    shard: SHARD,
    tickMaxLagMs,
    consumerExpiryMs: 10_000,
    bus: t.bus,
    streams: t.streams,
    lane,
    permissions: { net: [], env: [] },
    log: t.log,
  });
}

interface Sending {
  readonly seq: number;
  readonly sentMs?: number;
}

function encode(ticks: readonly StoredTick[], { seq, sentMs = Date.now() }: Sending): Uint8Array {
  return encoder.encode({
    epoch: EPOCH,
    seq,
    sentMs,
    venueMs: tick.timeMs,
    ticks: tickBatch(ticks),
    down: [],
  });
}

/** Publishes messages; when it resolves the stream has them. */
async function publish({ bus }: PersistTest, ...messages: Uint8Array[]): Promise<void> {
  const subject = tickSubject(SHARD, "binance");
  for (const message of messages.slice(0, -1)) bus.connection.publish(subject, message);
  await bus.connection.jetstream().publish(subject, messages.at(-1)!);
}

/** Trades of one sweep: consecutive ids, one ms. */
function sweep(count: number, from: Partial<StoredTick> = {}): StoredTick[] {
  return Array.from({ length: count }, (_, i) => ({ ...tick, ...from, id: (from.id ?? tick.id) + i }));
}

persistTest("TickPersistActor stores every trade of one ms, with every field in its type", async (t) => {
  await publish(t, encode([tick, { ...tick, id: tick.id + 1, side: "sell" }], { seq: 1 }));
  const lane = t.openLane({ retentionPolicy: "ticks" });
  const actor = createActor(t, lane);
  t.start(actor);
  // One message with rows and one with columns.
  await publish(t, encode(sweep(160, { market: "ETH-USDT" }), { seq: 2 }));
  await eventually("all are stored", () => lane.lines.get("stored") === 162);
  const rows = await t.rows("SELECT * FROM ticks.ticks WHERE market = 'BTC-USDT'");
  assert.deepEqual(
    rows.map(({ time, ...row }) => [time.getNanoTime(), { ...row }]),
    [
      [`${tick.timeMs}000811`, { ...stored(tick), id: "3740000811", side: "buy" }],
      [`${tick.timeMs}000812`, { ...stored(tick), id: "3740000812", side: "sell" }],
    ],
  );
  const [count] = await t.rows("SELECT count(\"id\") FROM ticks.ticks WHERE market = 'ETH-USDT'");
  assert.equal(count?.count, 160);
  assert.deepEqual(actor.status().ticks, { received: 162 });
});

function stored({ market, price, quantity }: StoredTick) {
  return { venue: "binance", market, price, quantity };
}

persistTest(
  "TickPersistActor changes nothing when a batch comes again, to it or its successor",
  async (t) => {
    const lane = t.openLane({ retentionPolicy: "ticks" });
    const first = createActor(t, lane);
    const end = t.start(first);
    const [one, two] = [encode(sweep(10), { seq: 1 }), encode(sweep(10, { id: 5 }), { seq: 2 })];
    await publish(t, one, two, one, two);
    await publish(t, encode([{ ...tick, id: 99 }], { seq: 3 }));
    await eventually("all are stored", () => lane.lines.get("stored") === 21);
    assert.equal(first.ticks.get("received"), 21);
    await end();
    const successor = createActor(t, lane);
    t.start(successor);
    await eventually("all are stored again", () => lane.lines.get("stored") === 42);
    assert.equal(successor.ticks.get("received"), 21);
    const [row] = await t.rows('SELECT count("id") FROM ticks.ticks');
    assert.equal(row?.count, 21);
  },
);

persistTest("TickPersistActor counts and logs what is no batch, and the batches that are lost", async (t) => {
  const lane = t.openLane({ retentionPolicy: "ticks" });
  const actor = createActor(t, lane);
  t.start(actor);
  const good = encode(sweep(10), { seq: 1 });
  await publish(
    t,
    good,
    new Uint8Array(0),
    good.subarray(0, 30),
    encode([{ ...tick, price: -1 }], { seq: 2 }),
  );
  t.bus.connection.publish(`ticks.${SHARD}.a,b=c`, encode([tick], { seq: 3 }));
  await publish(t, encode(sweep(10, { id: 1 }), { seq: 7 }));
  await eventually("the good ones are stored", () => lane.lines.get("stored") === 20);
  assert.equal(actor.badMessages.total, 4);
  assert.equal(actor.badMessages.get("subject"), 1);
  assert.ok(t.logged.filter((message) => message === "tick message rejected").length >= 3);
  // 2 could not be read, 3 was of another venue, 4 to 6 never came; nobody said how many ticks were in them.
  assert.equal(actor.status().lostBatches, 5);
  assert.deepEqual([actor.status().unknownBatches, actor.status().lostTicks], [5, 0]);
  assert.deepEqual([actor.status().read, actor.status().ticks], [21, { received: 20, bad_name: 1 }]);
});

persistTest("TickPersistActor skips and counts batches that are older than TICK_MAX_LAG", async (t) => {
  const lane = t.openLane({ retentionPolicy: "ticks" });
  const actor = createActor(t, lane, 60_000);
  t.start(actor);
  const old = encode(sweep(10), { seq: 1, sentMs: Date.now() - 120_000 });
  await publish(t, old, encode(sweep(5, { id: 1 }), { seq: 2 }));
  await eventually("the fresh ones are stored", () => lane.lines.get("stored") === 5);
  assert.deepEqual(actor.status().ticks, { skipped: 10, received: 5 });
  assert.equal(actor.status().lostBatches, 0);
});

persistTest("TickPersistActor has caught up when it has read its own shard", async (t) => {
  const lane = t.openLane({ retentionPolicy: "ticks", maxLines: 20_000 });
  const actor = createActor(t, lane);
  const end = t.start(actor);
  assert.equal(await actor.caughtUp(t.signal), true, "there is nothing to read");
  const batches = Array.from({ length: 200 }, (_, i) =>
    encode(sweep(20, { id: 1 + i * 20 }), { seq: i + 1 }),
  );
  await publish(t, ...batches);
  t.bus.connection.publish(tickSubject(SHARD + 1, "binance"), encode([tick], { seq: 1 }));
  assert.equal(await actor.caughtUp(t.signal), true);
  await end();
  assert.equal(actor.ticks.get("received"), 4_000);
  await lane.flush(t.signal);
  assert.equal(lane.lines.get("stored"), 4_000);
});
