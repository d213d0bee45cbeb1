import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createLog } from "../../src/observe/log.ts";
import { startInfluxd } from "../../src/servers/influxd.ts";
import { startNatsServer } from "../../src/servers/nats_server.ts";
import { provision } from "../../src/store/provision.ts";
import { eventually } from "../bus/harness.ts";
import { createStore, type Store } from "../pipeline/harness.ts";
import { startSecureInfluxd } from "../security/secure_influxd.ts";
import { Publisher, startPersist } from "./persist_process.ts";

const DEADLINE_MS = 30_000;

async function openBroker(t: TestContext) {
  const nats = await startNatsServer();
  t.after(() => nats.stop());
  return { env: { NATS_URL: nats.url }, publisher: await Publisher.open(t, nats.url) };
}

async function untilStored(
  store: Store,
  { candles, ticks }: Pick<Publisher, "candles" | "ticks">,
): Promise<void> {
  const count = async (query: string) => (await store.query(query).catch(() => []))[0]?.count ?? 0;
  const ofCandles = () => count('SELECT count("trades") FROM candles.candles');
  const ofTicks = () => count('SELECT count("id") FROM ticks.ticks');
  await eventually("candles are stored", async () => (await ofCandles()) === candles, DEADLINE_MS);
  await eventually("ticks are stored", async () => (await ofTicks()) === ticks, DEADLINE_MS);
}

test("what is dropped by hand is made anew, and filled with all that the streams still hold", async (t) => {
  const { env, publisher } = await openBroker(t);
  const influxd = await startInfluxd();
  t.after(() => influxd.stop());
  const { role, obstacles } = await startPersist(t, { ...env, INFLUX_URL: influxd.url });
  const store = createStore(influxd.url, "market");
  const candle = (revision: number) => publisher.publishCandles(1, { revision });
  const drops = ["DATABASE market", "RETENTION POLICY candles ON market", "RETENTION POLICY ticks ON market"];
  for (const what of ["nothing", ...drops]) {
    await publisher.publishCandles(300);
    // A revision that was replaced, and one that came too late, both of a point that is stored once.
    await candle(2);
    for (const revision of [3, 1]) {
      publisher.candles--;
      await candle(revision);
    }
    await publisher.publishTicks(1_000);
    await untilStored(store, publisher);
    if (what !== "nothing") await store.query(`DROP ${what}`);
  }
  // Only the lane whose policy is gone finds out by itself.
  await publisher.publishCandles(1);
  await publisher.publishTicks(500);
  await untilStored(store, publisher);
  const revisions = (await store.candles("1s")).map(({ revision }) => revision);
  assert.deepEqual([revisions.length, revisions.filter((revision) => revision === 3).length], [1_205, 4]);
  assert.deepEqual(
    [role.candleActor.status().rereads > 0, role.tickActors[0]!.status().lostBatches],
    [true, 0],
  );
  assert.deepEqual(obstacles(), []);
});

test("a process whose candles are gone stores them again though another one made the database anew", async (t) => {
  const { env, publisher } = await openBroker(t);
  const influxd = await startInfluxd();
  t.after(() => influxd.stop());
  const store = createStore(influxd.url, "market");
  const common = { ...env, INFLUX_URL: influxd.url, SHARDS: "2" };
  // The market's candles are of shard 1, the ticks that are published of shard 0.
  const candles = await startPersist(t, { ...common, SHARD: "1" });
  const ticks = await startPersist(t, { ...common, SHARD: "0" });
  await publisher.publishCandles(200);
  await untilStored(store, publisher);
  const { candleLane } = candles.role;
  await eventually("they are stored by the one process", () => candleLane.lines.get("stored") === 200);
  await store.query("DROP DATABASE market");
  await publisher.publishTicks(500);
  await untilStored(store, publisher);
  assert.equal(candleLane.retries.total, 0, "it could not find out by itself");
  assert.equal(ticks.role.candleLane.lines.total, 0);
});

test("a user that may only write says what is wrong, and goes on when an admin has put it right", async (t) => {
  const { env, publisher } = await openBroker(t);
  const influxd = await startSecureInfluxd(t);
  const { url: INFLUX_URL, admin } = influxd;
  const setUp = () =>
    provision(
      { url: INFLUX_URL, database: "market", ...admin },
      { candlesMs: 0, ticksMs: 0 },
      { log: createLog("silent"), signal: AbortSignal.timeout(DEADLINE_MS) },
    );
  await setUp();
  const writer = await influxd.createUser("persist", "WRITE ON market");
  const login = { INFLUX_USERNAME: writer.username, INFLUX_PASSWORD: writer.password };
  const { logged, obstacles } = await startPersist(t, { ...env, ...login, INFLUX_URL });
  const store = createStore(INFLUX_URL, "market", admin);
  await publisher.publishCandles(100);
  await publisher.publishTicks(1_000);
  await untilStored(store, publisher);

  await influxd.administer("DROP DATABASE market");
  await publisher.publishCandles(1);
  await publisher.publishTicks(500);
  const missing = [/candles: status_404: database not found/, /ticks: status_404: database not found/];
  const shows = (patterns: readonly RegExp[]) => () =>
    patterns.every((text) => text.test(obstacles().join("\n")));
  await eventually("it says what is missing", shows(missing), DEADLINE_MS);
  await eventually(
    "it says what to do",
    () => logged.filter(({ msg }) => /may not set up: run `make provision`/.test(String(msg))).length === 1,
    DEADLINE_MS,
  );
  await setUp();
  // With the database InfluxDB has dropped what users may do there.
  await eventually("it says so", shows([/candles: status_403/, /ticks: status_403/]), DEADLINE_MS);
  await influxd.administer("GRANT WRITE ON market TO persist");
  await untilStored(store, publisher);
  await eventually("it is well", () => obstacles().length === 0, DEADLINE_MS);

  await influxd.administer("SET PASSWORD FOR persist = 'another'");
  await publisher.publishCandles(50);
  await eventually("it says so", shows([/candles: status_401: authorization failed/]), DEADLINE_MS);
  await influxd.administer(`SET PASSWORD FOR persist = '${writer.password}'`);
  await untilStored(store, publisher);
  assert.ok(!JSON.stringify([logged, obstacles()]).includes(writer.password));
});
