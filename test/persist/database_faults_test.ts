import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { startInfluxd } from "../../src/servers/influxd.ts";
import { startNatsServer } from "../../src/servers/nats_server.ts";
import { eventually } from "../bus/harness.ts";
import { createStore } from "../pipeline/harness.ts";
import { DISK_FULL, FaultyInfluxd, UNAVAILABLE, type WriteFault } from "../store/faulty_influxd.ts";
import { candle } from "../store/stored_values.ts";
import { Publisher, startPersist } from "./persist_process.ts";

const DEADLINE_MS = 30_000;

/** A persist process between a nats-server and an influxd with a proxy before it. */
async function open(t: TestContext) {
  const nats = await startNatsServer();
  t.after(() => nats.stop());
  const influxd = await startInfluxd();
  t.after(() => influxd.stop());
  const proxy = await FaultyInfluxd.start(influxd.url);
  t.after(() => proxy.stop());
  const env = { NATS_URL: nats.url, INFLUX_URL: proxy.url };
  const persist = await startPersist(t, env);
  const publisher = await Publisher.open(t, nats.url);
  const store = createStore(influxd.url, "market");
  return { nats, influxd, proxy, env, persist, publisher, store, ...persist.role };
}

/** Waits until all that was published is stored, and shows that it is there once and as it was. */
async function checkStored({ publisher, store, candleLane, tickLane }: Awaited<ReturnType<typeof open>>) {
  const count = async (query: string) => Number((await store.query(query).catch(() => []))[0]?.count ?? 0);
  const stored = async () => ({
    candles: await count('SELECT count("trades") FROM candles.candles'),
    ticks: await count('SELECT count("id") FROM ticks.ticks'),
  });
  const { candles, ticks } = publisher;
  const isStored = async () => isDeepStrictEqual(await stored(), { candles, ticks });
  await eventually("all is stored", isStored, DEADLINE_MS).catch(() => undefined);
  const lanes = [candleLane, tickLane].map(({ lines, retries, pending, obstacle }) => ({
    ...Object.fromEntries([...lines.entries(), ...retries.entries()]),
    pending,
    obstacle,
  }));
  assert.deepEqual(await stored(), { candles, ticks }, JSON.stringify(lanes));
  assert.deepEqual(
    (await store.candles("1s")).map(({ openMs, trades }) => [openMs, trades]),
    Array.from({ length: candles }, (_, i) => [candle.openMs + i * 1_000, i]),
  );
}

const FAULTS: readonly (readonly [name: string, fault: WriteFault, seen: RegExp | undefined])[] = [
  ["503", UNAVAILABLE, /^status_503: request throttled/],
  ["a full disk", DISK_FULL, /^status_500: engine: .* no space left on device/],
  ["a cut before the write", "cut_before", /^network: /],
  ["a cut after the write", "cut_after", /^network: /],
  ["no answer", "hang", undefined],
  ["half an answer", "hang_in_answer", undefined],
  ["a slow network", "trickle", undefined],
];

test("no candle and no tick is lost or stored twice, however writes fail", {
  timeout: 120_000,
}, async (t) => {
  const stage = await open(t);
  const { proxy, publisher, candleLane, tickLane } = stage;
  for (const [name, fault, seen] of FAULTS) {
    const before = proxy.struck;
    const failing = { candles: 0, ticks: 0 };
    proxy.fault = (policy) => {
      failing[policy as keyof typeof failing]++;
      return fault;
    };
    await publisher.publishCandles(200);
    await publisher.publishTicks(2_000);
    await eventually(`${name} strikes both`, () => failing.candles > 0 && failing.ticks > 0, DEADLINE_MS);
    if (seen !== undefined) {
      await eventually(`${name} shows`, () => seen.test(candleLane.obstacle ?? ""), DEADLINE_MS);
      assert.equal(candleLane.lines.get("poison") + tickLane.lines.get("poison"), 0, name);
    }
    proxy.fault = () => undefined;
    // What hangs may do so for as long as a request may take, which is too long for a test.
    if (fault === "hang" || fault === "hang_in_answer") proxy.cutAll();
    await checkStored(stage);
    assert.ok(proxy.struck > before, name);
    await eventually(`${name} is over`, () => candleLane.obstacle === undefined, DEADLINE_MS);
  }
  // What was read is what was published: nothing had to be read twice.
  assert.equal(stage.candleActor.status().received, publisher.candles);
  assert.deepEqual(stage.persist.obstacles(), []);
});

test("candles are stored at once and ticks held in bounds while the ticks' requests hang", async (t) => {
  const stage = await open(t);
  const { proxy, publisher, candleLane, tickLane, tickActors } = stage;
  proxy.fault = (policy) => (policy === "ticks" ? "hang" : undefined);
  await publisher.publishTicks(120_000);
  // 50,000 lines wait, two requests have taken 5,000 each, and one message more is taken before anybody waits.
  const most = 50_000 + 2 * 5_000 + 500;
  await eventually("it reads no more", () => tickLane.pending >= 60_000, DEADLINE_MS);
  for (let i = 1; i <= 20; i++) {
    const startMs = performance.now();
    await publisher.publishCandles(1);
    await eventually("the candle is stored", () => candleLane.lines.get("stored") === i, 2_000);
    // 200 ms of them it waits for others.
    assert.ok(performance.now() - startMs < 1_500, `${performance.now() - startMs} ms`);
  }
  assert.ok(tickLane.pending <= most, `${tickLane.pending} ticks are held`);
  assert.equal(tickActors[0]!.ticks.get("received"), tickLane.pending);
  assert.equal(candleLane.retries.total, 0);
  proxy.fault = () => undefined;
  proxy.cutAll();
  await checkStored(stage);
  assert.equal(tickActors[0]!.status().lostBatches, 0);
});

test("a killed and a frozen influxd cost nothing, again and again", async (t) => {
  const stage = await open(t);
  const { influxd, publisher, candleLane } = stage;
  // An influxd 1.6 that is killed while it makes a shard may never open that shard again.
  await publisher.publishCandles(20);
  await publisher.publishTicks(500);
  await checkStored(stage);
  for (let round = 0; round < 4; round++) {
    const stored = candleLane.lines.get("stored");
    const publishing = (async () => {
      for (let i = 0; i < 20; i++) {
        await publisher.publishCandles(20);
        await publisher.publishTicks(1_000);
        await delay(20);
      }
    })();
    await eventually("it is in the middle of it", () => candleLane.lines.get("stored") > stored, DEADLINE_MS);
    if (round < 3) {
      influxd.kill("SIGKILL");
      await influxd.restart();
    } else {
      influxd.kill("SIGSTOP");
      await delay(1_500);
      influxd.kill("SIGCONT");
    }
    await publishing;
  }
  await checkStored(stage);
  await eventually("it knows that", () => candleLane.lines.get("stored") === publisher.candles);
});

test("points that InfluxDB refuses cost no other, and each is counted and logged", async (t) => {
  const stage = await open(t);
  const { publisher, candleLane, persist, store } = stage;
  const otherWeekMs = candle.openMs + 30 * 86_400_000;
  // From now on no candle of that week is stored: a field has another type there.
  await fetch(`${stage.influxd.url}/write?db=market&rp=candles&precision=ms`, {
    method: "POST",
    body: `candles,interval=1s,market=BTC-USDT,venue=binance trades="many" ${otherWeekMs}`,
  });
  await publisher.publishCandles(500);
  // A time that InfluxDB has no number for, and a type that is taken.
  await publisher.publishCandles(1, { openMs: Number.MAX_SAFE_INTEGER });
  for (let i = 0; i < 4; i++) await publisher.publishCandles(1, { openMs: otherWeekMs + i * 1_000 });
  publisher.candles -= 5;
  await publisher.publishCandles(500);
  await eventually("the poison is found", () => candleLane.lines.get("poison") === 5, DEADLINE_MS);
  await eventually("all others are stored", () => candleLane.lines.get("stored") === 1_000, DEADLINE_MS);
  const stored = (await store.candles("1s")).filter(({ openMs }) => openMs < otherWeekMs);
  assert.deepEqual(
    stored.map(({ trades }) => trades),
    Array.from({ length: 1_000 }, (_, i) => i),
  );
  const complaints = persist.logged.filter(({ msg }) => msg === "InfluxDB cannot store a line");
  assert.equal(complaints.length, 5);
  assert.equal(complaints.filter(({ answer }) => /type conflict/.test(String(answer))).length, 4);
  assert.deepEqual(persist.obstacles(), []);
});
