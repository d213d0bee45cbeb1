import assert from "node:assert/strict";
import { candleSubject } from "../../src/bus/subject.ts";
import type { Candle } from "../../src/market/candle.ts";
import { shardOf } from "../../src/market/shard.ts";
import { CandlePersistActor } from "../../src/persist/candle_persist.ts";
import type { InfluxLane } from "../../src/store/influx_lane.ts";
import { encodeCandle } from "../../src/wire/candle_codec.ts";
import { eventually } from "../bus/harness.ts";
import { candle } from "../store/stored_values.ts";
import { type PersistTest, persistTest } from "./harness.ts";

const SHARDS = 8;
const ALL = new Set(Array.from({ length: SHARDS }, (_, shard) => shard));

function createActor(t: PersistTest, lane: InfluxLane, ownedShards: ReadonlySet<number> = ALL) {
  return new CandlePersistActor({
    ownedShards,
    shards: SHARDS,
    consumerExpiryMs: 10_000,
    bus: t.bus,
    streams: t.streams,
    lane,
    permissions: { net: [], env: [] },
    log: t.log,
  });
}

/** Publishes candles; when it resolves the stream has them. */
async function publish({ bus }: PersistTest, candles: readonly Candle[]): Promise<void> {
  for (const each of candles.slice(0, -1)) bus.connection.publish(candleSubject(each), encodeCandle(each));
  const last = candles.at(-1)!;
  await bus.connection.jetstream().publish(candleSubject(last), encodeCandle(last));
}

function minutes(count: number, from: Partial<Candle> = {}): Candle[] {
  return Array.from({ length: count }, (_, i) => ({
    ...candle,
    ...from,
    openMs: candle.openMs + i * 60_000,
  }));
}

persistTest("CandlePersistActor stores old and new candles with every field in its type", async (t) => {
  await publish(t, minutes(50));
  const lane = t.openLane({ retentionPolicy: "candles" });
  t.start(createActor(t, lane));
  await eventually("the old ones are stored", () => lane.lines.get("stored") === 50);
  await publish(t, minutes(50, { market: "ETH-USDT", interval: "1d" }));
  await eventually("the new ones are stored", () => lane.lines.get("stored") === 100);
  const rows = await t.rows("SELECT * FROM candles WHERE \"interval\" = '1d'");
  assert.equal(rows.length, 50);
  const { time, ...fields } = rows[0]!;
  assert.equal(time.getTime(), candle.openMs);
  assert.deepEqual(
    { ...fields },
    {
      venue: "binance",
      market: "ETH-USDT",
      interval: "1d",
      open: 61_698.02,
      high: 61_700,
      low: 61_650.5,
      close: 61_651,
      volume: 12.34567,
      quote_volume: 761_234.123456789,
      buy_volume: 6.1,
      buy_quote_volume: 376_212.5,
      trades: 812,
      missing: 3,
      late: 1,
      revision: 2,
      first_id: "3740000000",
      last_id: "3740000811",
      complete: true,
    },
  );
  const types = await t.rows("SHOW FIELD KEYS FROM candles");
  assert.deepEqual(Object.fromEntries(types.map(({ fieldKey, fieldType }) => [fieldKey, fieldType])), {
    ...Object.fromEntries(["open", "high", "low", "close"].map((field) => [field, "float"])),
    ...Object.fromEntries(
      ["volume", "quote_volume", "buy_volume", "buy_quote_volume"].map((f) => [f, "float"]),
    ),
    ...Object.fromEntries(["trades", "missing", "late", "revision"].map((field) => [field, "integer"])),
    first_id: "string",
    last_id: "string",
    complete: "boolean",
  });
});

persistTest("CandlePersistActor never lets a lower revision replace a higher one", async (t) => {
  const lane = t.openLane({ retentionPolicy: "candles" });
  const actor = createActor(t, lane);
  const revision = (number: number): Candle => ({ ...candle, revision: number, trades: 800 + number });
  // Sent again after a failure, an old revision may come after its successor.
  await publish(t, [0, 1, 0, 2, 1, 0].map(revision));
  t.start(actor);
  await eventually("all are read", () => actor.status().received === 6 && lane.pending === 0);
  const stored = async () => (await t.rows("SELECT * FROM candles")).map((row) => [row.revision, row.trades]);
  assert.deepEqual(await stored(), [[2, 802]]);
  assert.equal(actor.status().staleRevisions, 3);
  await publish(t, [3, 2].map(revision));
  await eventually("all are read", () => actor.status().received === 8 && lane.pending === 0);
  assert.deepEqual(await stored(), [[3, 803]]);
});

persistTest(
  "CandlePersistActor counts and logs what is no candle and stores what is beside it",
  async (t) => {
    const lane = t.openLane({ retentionPolicy: "candles" });
    const actor = createActor(t, lane);
    const [first, second] = minutes(2);
    await publish(t, [first!]);
    const good = encodeCandle(candle);
    const { connection } = t.bus;
    const forged = { ...candle, lastId: `1",complete=true 1\ncandles,interval=1m high=1 1` };
    const bads = [new Uint8Array(0), good.subarray(0, 20), encodeCandle({ ...candle, high: "1e5" })];
    for (const bad of [...bads, encodeCandle(forged)]) {
      connection.publish(candleSubject(candle), bad);
    }
    for (const subject of [
      "candles.a.B-C.7s",
      "candles.a.B-C",
      "candles.a.B-C.1m.x",
      "candles.a,b=c.B-C.1m",
    ]) {
      connection.publish(subject, good);
    }
    await publish(t, [second!]);
    t.start(actor);
    await eventually("the good ones are stored", () => lane.lines.get("stored") === 2);
    const { badMessages } = actor;
    assert.equal(badMessages.total, 8);
    assert.equal(badMessages.get("subject"), 4);
    assert.equal(t.logged.filter((message) => message === "candle message rejected").length, 3);
    assert.equal((await t.rows("SELECT * FROM candles")).length, 2);
  },
);

persistTest("CandlePersistActor leaves the shards of others alone", async (t) => {
  const markets = Array.from({ length: 40 }, (_, i) => `M${i}-USDT`);
  await publish(
    t,
    markets.map((market) => ({ ...candle, market })),
  );
  const owned = new Set([0, 3, 5]);
  const rest = new Set([...ALL].filter((shard) => !owned.has(shard)));
  const own = markets.filter((market) => owned.has(shardOf(`binance:${market}`, SHARDS)));
  const lane = t.openLane({ retentionPolicy: "candles" });
  const actor = createActor(t, lane, owned);
  t.start(actor);
  await eventually("its own are stored", () => lane.lines.get("stored") === own.length);
  const stored = async () =>
    (await t.rows("SELECT * FROM candles")).map(({ market }) => String(market)).sort();
  assert.deepEqual(await stored(), [...own].sort());
  assert.ok(own.length > 0 && own.length < markets.length);
  t.start(createActor(t, lane, rest));
  await eventually("all are stored", () => lane.lines.get("stored") === markets.length);
  assert.deepEqual(await stored(), [...markets].sort());
  assert.equal(actor.status().received, own.length);
});

persistTest(
  "CandlePersistActor stops reading while InfluxDB is down and then stores everything",
  async (t) => {
    const lane = t.openLane({ retentionPolicy: "candles", maxLines: 100 });
    const actor = createActor(t, lane);
    t.start(actor);
    await publish(t, minutes(1));
    await eventually("the first is stored", () => lane.lines.get("stored") === 1);
    t.influxd.kill("SIGKILL");
    await publish(t, minutes(2_000));
    await eventually("it tries", () => lane.retries.total >= 3);
    // What waits, and what one request took.
    assert.ok(actor.status().received <= 1 + 2 * 100, `${actor.status().received} were read`);
    await t.influxd.restart();
    await eventually("all are stored", () => lane.lines.get("stored") === 2_001);
    const [row] = await t.rows('SELECT count("open") FROM candles');
    assert.equal(row?.count, 2_000);
  },
);

persistTest("CandlePersistActor goes on where it was when its consumer is lost", async (t) => {
  const lane = t.openLane({ retentionPolicy: "candles" });
  const actor = createActor(t, lane);
  t.start(actor);
  await publish(t, [...minutes(20), ...minutes(20, { revision: 3, trades: 900 })]);
  await eventually("all are stored", () => lane.lines.get("stored") === 40);
  const [consumer] = await t.bus.streams.consumers.list("CANDLES").next();
  await t.bus.streams.consumers.delete("CANDLES", consumer!.name);
  await eventually("it reads again", () => actor.readerRestarts.total > 0);
  await publish(t, minutes(1, { revision: 4, trades: 901 }));
  await eventually("what came later is stored", () => lane.lines.get("stored") === 41);
  assert.equal(actor.status().received, 41);
  const rows = await t.rows("SELECT * FROM candles");
  assert.equal(rows.length, 20);
  assert.ok(rows.every(({ revision, trades }) => revision === (trades === 901 ? 4 : 3)));
});

persistTest(
  "CandlePersistActor has caught up when it has read what is in the stream, old and new",
  async (t) => {
    const lane = t.openLane({ retentionPolicy: "candles" });
    const actor = createActor(t, lane, new Set([shardOf("binance:BTC-USDT", SHARDS)]));
    const end = t.start(actor);
    assert.equal(await actor.caughtUp(t.signal), true, "there is nothing to read");
    await publish(t, minutes(3_000));
    // The last one in the stream is one of others.
    await publish(t, [{ ...candle, market: "ETH-USDT" }]);
    assert.equal(await actor.caughtUp(t.signal), true);
    await end();
    assert.equal(actor.status().received, 3_000);
    // What it reads again says nothing about what is new.
    const successor = createActor(t, lane);
    const endSuccessor = t.start(successor);
    await publish(t, minutes(1_000, { revision: 3 }));
    assert.equal(await successor.caughtUp(t.signal), true);
    await endSuccessor();
    assert.equal(successor.status().received, 4_001);
  },
);

persistTest("CandlePersistActor has not caught up while InfluxDB is down", async (t) => {
  const lane = t.openLane({ retentionPolicy: "candles", maxLines: 100 });
  const actor = createActor(t, lane);
  t.influxd.kill("SIGKILL");
  t.start(actor);
  await publish(t, minutes(2_000));
  assert.equal(await actor.caughtUp(AbortSignal.timeout(300)), false);
  await t.influxd.restart();
  assert.equal(await actor.caughtUp(t.signal), true);
  await lane.flush(t.signal);
  assert.equal(lane.lines.get("stored"), 2_000);
});
