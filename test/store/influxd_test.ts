import assert from "node:assert/strict";
import { after, type TestContext, test } from "node:test";
import type { InfluxDB } from "influx";
import { createLog } from "../../src/observe/log.ts";
import { startInfluxd } from "../../src/servers/influxd.ts";
import { InfluxLane, type InfluxTarget, type LaneOptions } from "../../src/store/influx_lane.ts";
import { candleLine, tickLine } from "../../src/store/line_protocol.ts";
import { CANDLE_POLICY, createInfluxClient, provision, TICK_POLICY } from "../../src/store/provision.ts";
import { eventually } from "../bus/harness.ts";
import { candle, tickBatch } from "./stored_values.ts";

const DEADLINE_MS = 30_000;
const FOR_EVER = { candlesMs: 0, ticksMs: 0 };
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const log = createLog("silent");
const influxd = await startInfluxd();
after(() => influxd.stop());
let databases = 0;

interface Place {
  readonly target: InfluxTarget;
  readonly client: InfluxDB;
  rows(query: string, placeholders?: Record<string, string | number>): Promise<Row[]>;
}

type Row = Record<string, unknown> & { readonly time: Date & { getNanoTime(): string } };

/** A database of its own on an influxd. */
async function open(url = influxd.url, retention = FOR_EVER): Promise<Place> {
  const target = { url, database: `market_${++databases}` };
  await provision(target, retention, { log, signal: AbortSignal.timeout(DEADLINE_MS) });
  const client = createInfluxClient(target);
  const rows = async (query: string, placeholders: Record<string, string | number> = {}) => [
    ...(await client.query<Row>(query, { placeholders })),
  ];
  return { target, client, rows };
}

function openLane(context: TestContext, { target }: Place, options: Partial<LaneOptions> = {}): InfluxLane {
  const lane = new InfluxLane({
    name: "test",
    target,
    retentionPolicy: CANDLE_POLICY,
    precision: "ms",
    flushMs: 20,
    inFlight: 1,
    maxLines: 20_000,
    onMissing: () => provision(target, FOR_EVER, { log, signal: AbortSignal.timeout(DEADLINE_MS) }),
    log,
    ...options,
  });
  context.after(() => lane.close());
  return lane;
}

async function write(lane: InfluxLane, lines: readonly string[]): Promise<void> {
  for (const line of lines) lane.append(line);
  await lane.flush(AbortSignal.timeout(DEADLINE_MS));
  assert.equal(lane.pending, 0);
}

test("provision() creates database and policies, and changes nothing when called again", async () => {
  const { target, client } = await open(influxd.url, { candlesMs: 0, ticksMs: 7 * DAY_MS });
  const policies = async () => {
    const all = await client.showRetentionPolicies(target.database);
    return all.map(({ name, duration, default: isDefault }) => ({ name, duration, isDefault }));
  };
  const expected = [
    { name: "autogen", duration: "0s", isDefault: false },
    { name: "candles", duration: "0s", isDefault: true },
    { name: "ticks", duration: "168h0m0s", isDefault: false },
  ];
  assert.deepEqual(await policies(), expected);
  const { signal } = new AbortController();
  await provision(target, { candlesMs: 0, ticksMs: 7 * DAY_MS }, { log, signal });
  assert.deepEqual(await policies(), expected);
});

test("provision() gives known policies the configured durations, shorter than their shards too", async () => {
  const { target, client } = await open();
  const signal = AbortSignal.timeout(DEADLINE_MS);
  for (const [candlesMs, ticksMs] of [
    [30 * DAY_MS, DAY_MS],
    [HOUR_MS, HOUR_MS],
    [0, 7 * DAY_MS],
    [DAY_MS, 0],
  ] as const) {
    await provision(target, { candlesMs, ticksMs }, { log, signal });
    const policies = await client.showRetentionPolicies(target.database);
    const durationOf = (wanted: string) => policies.find(({ name }) => name === wanted)?.duration;
    assert.equal(durationOf(CANDLE_POLICY), candlesMs === 0 ? "0s" : `${candlesMs / HOUR_MS}h0m0s`);
    assert.equal(durationOf(TICK_POLICY), ticksMs === 0 ? "0s" : `${ticksMs / HOUR_MS}h0m0s`);
  }
});

test("a lane stores candles in the default policy and ticks in theirs, with every type", async (t) => {
  const place = await open();
  await write(openLane(t, place), [candleLine(candle)]);
  const ticks = openLane(t, place, { retentionPolicy: TICK_POLICY, precision: "ns", inFlight: 2 });
  const tick = { market: "BTC-USDT", price: 61_698.02, quantity: 1e-8, timeMs: candle.openMs } as const;
  const batch = tickBatch([
    { ...tick, id: 3_740_000_811, side: "buy" },
    { ...tick, id: 3_740_000_812, side: "sell" },
  ]);
  await write(ticks, [tickLine("binance", batch, 0), tickLine("binance", batch, 1)]);
  const [stored] = await place.rows("SELECT * FROM candles");
  const { time, ...fields } = stored!;
  assert.equal(time.getTime(), candle.openMs);
  assert.deepEqual(
    { ...fields },
    {
      interval: "1m",
      market: "BTC-USDT",
      venue: "binance",
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
  const types = await place.rows("SHOW FIELD KEYS FROM candles");
  const integers = types.filter(({ fieldType }) => fieldType === "integer").map(({ fieldKey }) => fieldKey);
  assert.deepEqual(integers.sort(), ["late", "missing", "revision", "trades"]);
  assert.deepEqual(await place.rows("SELECT * FROM ticks"), []);
  const rows = await place.rows("SELECT * FROM ticks.ticks");
  assert.deepEqual(
    rows.map(({ time, ...row }) => [time.getNanoTime(), { ...row }]),
    [
      [
        `${candle.openMs}000811`,
        {
          market: "BTC-USDT",
          venue: "binance",
          price: 61_698.02,
          quantity: 1e-8,
          side: "buy",
          id: "3740000811",
        },
      ],
      [
        `${candle.openMs}000812`,
        {
          market: "BTC-USDT",
          venue: "binance",
          price: 61_698.02,
          quantity: 1e-8,
          side: "sell",
          id: "3740000812",
        },
      ],
    ],
  );
});

test("a candle that is written again replaces the one before", async (t) => {
  const place = await open();
  const lane = openLane(t, place);
  // In one batch and in another one.
  await write(lane, [candleLine(candle), candleLine({ ...candle, revision: 3, close: "61650.5" })]);
  await write(lane, [candleLine({ ...candle, revision: 4, complete: false, trades: 815 })]);
  const rows = await place.rows("SELECT * FROM candles");
  assert.equal(rows.length, 1);
  const { revision, trades, close, complete } = rows[0]!;
  assert.deepEqual(
    { revision, trades, close, complete },
    { revision: 4, trades: 815, close: 61_651, complete: false },
  );
});

test("stored candles are found by bound parameters, whatever is in these", async (t) => {
  const place = await open();
  const minutes = Array.from({ length: 100 }, (_, i) => ({ ...candle, openMs: candle.openMs + i * 60_000 }));
  await write(openLane(t, place), minutes.map(candleLine));
  const query =
    'SELECT "close" FROM candles WHERE "market" = $market AND "interval" = $interval ' +
    "AND time >= $from AND time < $to ORDER BY time LIMIT $limit";
  const from = new Date(minutes[10]!.openMs).toISOString();
  const to = new Date(minutes[90]!.openMs).toISOString();
  const found = await place.rows(query, { market: "BTC-USDT", interval: "1m", from, to, limit: 50 });
  assert.deepEqual(
    found.map(({ time }) => time.getTime()),
    minutes.slice(10, 60).map(({ openMs }) => openMs),
  );
  const hostile = { interval: "1m", from, to, limit: 50, market: "' OR 1=1; DROP DATABASE market --\\'" };
  assert.deepEqual(await place.rows(query, hostile), []);
  assert.equal((await place.rows("SELECT * FROM candles")).length, 100);
});

test("poison beside good lines costs none of these", async (t) => {
  const place = await open();
  const lane = openLane(t, place);
  await write(lane, [candleLine({ ...candle, market: "ETH-USDT" })]);
  const good = Array.from({ length: 2_000 }, (_, i) =>
    candleLine({ ...candle, openMs: candle.openMs + i * 1_000 }),
  );
  const poison = [
    // A field of another type than stored, a value that is no number, and control characters.
    'candles,interval=1m,market=ETH-USDT,venue=binance trades="many" 1723161600001',
    "candles,interval=1m,market=ETH-USDT,venue=binance open=NaN 1723161600002",
    "candles,interval=1m,market=ETH-USDT,venue=binance open=\x00\x1b 1723161600003",
  ];
  const lines = [...good];
  for (const [i, line] of poison.entries()) lines.splice(300 + 700 * i, 0, line);
  await write(lane, lines);
  assert.equal(lane.lines.get("poison"), 3);
  assert.equal(lane.lines.get("stored"), good.length + 1);
  const [row] = await place.rows('SELECT count("open") FROM candles');
  assert.equal(row?.count, good.length + 1);
});

test("a lane counts what is too old for its policy and stores the rest", async (t) => {
  const place = await open(influxd.url, { candlesMs: DAY_MS, ticksMs: DAY_MS });
  const lane = openLane(t, place);
  const nowMs = Math.floor(Date.now() / 1_000) * 1_000;
  const times = [candle.openMs, nowMs - 1_000, candle.openMs + 1_000, nowMs];
  await write(
    lane,
    times.map((openMs) => candleLine({ ...candle, openMs })),
  );
  assert.deepEqual(Object.fromEntries(lane.lines.entries()), { beyond_retention: 2, stored: 2 });
  assert.equal((await place.rows("SELECT * FROM candles")).length, 2);
});

test("a lane repairs a database or policy that is dropped while it writes", async (t) => {
  const place = await open();
  const lane = openLane(t, place);
  const line = (i: number) => candleLine({ ...candle, openMs: candle.openMs + i * 1_000 });
  await write(lane, [line(0)]);
  await place.client.dropRetentionPolicy(CANDLE_POLICY, place.target.database);
  await write(lane, [line(1)]);
  assert.equal(lane.retries.get("status_500"), 1);
  await place.client.dropDatabase(place.target.database);
  await write(lane, [line(2)]);
  assert.equal(lane.retries.get("status_404"), 1);
  assert.equal(lane.lines.get("stored"), 3);
  const rows = await place.rows("SELECT * FROM candles");
  assert.deepEqual(
    rows.map(({ time }) => time.getTime()),
    [candle.openMs + 2_000],
  );
});

test("every line is stored once though influxd is killed again and again", { timeout: 60_000 }, async (t) => {
  const mortal = await startInfluxd();
  t.after(() => mortal.stop());
  const place = await open(mortal.url);
  const lane = openLane(t, place, { inFlight: 2 });
  const stop = new AbortController();
  let appended = 0;
  const writer = (async () => {
    while (!stop.signal.aborted) {
      for (let i = 0; i < 500; i++)
        lane.append(candleLine({ ...candle, openMs: candle.openMs + appended++ }));
      await lane.room(stop.signal);
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  for (let kill = 1; kill <= 5; kill++) {
    const before = lane.lines.get("stored");
    await eventually("lines are stored", () => lane.lines.get("stored") > before, DEADLINE_MS);
    mortal.kill("SIGKILL");
    await mortal.restart();
  }
  stop.abort();
  await writer;
  await lane.flush(AbortSignal.timeout(DEADLINE_MS));
  assert.equal(lane.lines.get("stored"), appended);
  assert.ok(lane.retries.get("network") > 0);
  const [row] = await place.rows('SELECT count("open") FROM candles');
  assert.equal(row?.count, appended);
  t.diagnostic(`${appended} lines`);
});
