import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { connect } from "nats";
import { shardOf } from "../../src/market/shard.ts";
import { TickBuffer } from "../../src/market/tick_buffer.ts";
import type { Account } from "../../src/observe/account.ts";
import type { Sheet } from "../../src/run/sheet.ts";
import { BinanceServer } from "../../src/simulator/binance_server.ts";
import { createEpoch } from "../../src/wire/epoch.ts";
import { TickEncoder } from "../../src/wire/tick_encoder.ts";
import { tradeFrame } from "../ingest/hostile_frames.ts";
import { untilBalanced } from "./balance.ts";
import { type Pipeline, startPipeline, until } from "./harness.ts";

const FIRST = { symbol: "BTCUSDT", id: 501, timeMs: 1_723_161_255_342 };
const SHARD = shardOf("binance:BTC-USDT", 8);
const DEADLINE_MS = 60_000;

/** A pipeline, and what sends it one trade after the other. */
async function start(t: TestContext, env: Readonly<Record<string, string>>) {
  const venue = await BinanceServer.start();
  t.after(() => venue.stop());
  // Without leases nobody begins anew while the broker is away: what each life counts must fit to the last tick.
  const pipeline = await startPipeline(
    t,
    { MARKETS: "binance:BTC-USDT", BINANCE_WS_URL: venue.url, INTERVALS: "1s", SHARD: "0-7", ...env },
    { hasLeases: false },
  );
  await until("it has subscribed", () => venue.listenersOf("btcusdt@trade") > 0, DEADLINE_MS);
  let sent = 0;
  /** Trades for a while, however long that takes. */
  const tradeFor = async (ms: number) => {
    for (const endMs = performance.now() + ms; performance.now() < endMs; await delay(5)) {
      venue.sendToAll(tradeFrame({ ...FIRST, id: FIRST.id + sent, timeMs: FIRST.timeMs + sent * 50 }));
      sent++;
    }
  };
  return { pipeline, tradeFor };
}

function stageOf({ stages }: Sheet, name: string): Account {
  const account = stages.find(({ stage }) => stage === name);
  assert.ok(account, `${name} among ${stages.map(({ stage }) => stage)}`);
  return account;
}

function countsOf(lines: Account["became"], name: string): number {
  return Object.entries(lines)
    .filter(([line]) => line === name || line.startsWith(`${name}:`))
    .reduce((sum, [, count]) => sum + count, 0);
}

test("every tick is in a candle or lost, and each reader knows exactly how many, when the broker freezes and dies", async (t) => {
  const { pipeline, tradeFor } = await start(t, { TICK_RETENTION: "0" });
  await tradeFor(300);
  pipeline.nats.kill("SIGSTOP");
  await tradeFor(4_000);
  pipeline.nats.kill("SIGCONT");
  await tradeFor(500);
  pipeline.nats.kill("SIGKILL");
  await tradeFor(500);
  await pipeline.nats.restart();
  await until("trades arrive again", arrivesMore(pipeline, tradeFor), DEADLINE_MS);

  const balance = await untilBalanced(pipeline.nats.url);
  const { came, became } = stageOf(balance, "publish");
  const accepted = came.accepted!;
  const dropped = countsOf(became, "dropped");
  const unconfirmed = countsOf(became, "unconfirmed");
  assert.ok(dropped > 0 && unconfirmed > 0, JSON.stringify(became));
  assert.equal(became.confirmed! + unconfirmed + dropped, accepted);
  for (const [stage, fates] of [
    ["kline", ["accepted", "late"]],
    ["persist_ticks", ["stored"]],
  ] as const) {
    const account = stageOf(balance, stage);
    const { lost, taken, before_reader } = stageOf(balance, `to_${stage}`).became;
    const stored = fates.reduce((sum, fate) => sum + (account.became[fate] ?? 0), 0);
    // What was sent and not confirmed may be there all the same, and what was confirmed may have died with the broker.
    assert.ok(lost! >= dropped, JSON.stringify(account));
    assert.deepEqual([before_reader, stored + lost!], [0, accepted]);
    assert.equal(taken, stored);
    assert.equal(account.beside.lost, lost);
  }
  await pipeline.stop();
});

/** Whether trades that are sent now become part of candles. */
function arrivesMore(pipeline: Pipeline, tradeFor: (ms: number) => Promise<void>) {
  const { inCandles } = pipeline.status();
  return async () => {
    await tradeFor(100);
    return pipeline.status().inCandles > inCandles;
  };
}

test("what is refused, skipped, unreadable or of no name is in the balance too", async (t) => {
  // All trades are older than the retention of ticks, and messages are old within a moment.
  const { pipeline, tradeFor } = await start(t, { TICK_RETENTION: "7d", TICK_MAX_LAG: "1ms" });
  await poison(pipeline);
  const causes = ["tick_skipped", "history_tick_beyond_retention", "candle_poison"];
  const happened = async () => {
    await tradeFor(200);
    return causes.every((cause) => (pipeline.status().lostByCause[cause] ?? 0) > 0);
  };
  await until(`something is lost as ${causes}`, happened, DEADLINE_MS);
  const bus = await connect({ servers: pipeline.nats.url });
  t.after(() => bus.close());
  const garbage = new Uint8Array(20);
  bus.publish(`ticks.${SHARD}.binance`, garbage);
  bus.publish(`ticks.${SHARD}.a,b`, foreignMessage());
  bus.publish("candles.binance.BTC-USDT.1s", garbage);
  bus.publish("candles.binance.BTC-USDT.7s", garbage);
  await bus.flush();

  const balance = await untilBalanced(pipeline.nats.url);
  const kline = stageOf(balance, "kline");
  assert.equal(countsOf(kline.beside, "unreadable_messages"), 1);
  const ticks = stageOf(balance, "persist_ticks");
  assert.ok(ticks.became.beyond_retention! > 0, JSON.stringify(ticks));
  assert.deepEqual([ticks.became.bad_name, countsOf(ticks.beside, "unreadable_messages")], [2, 2]);
  const candles = stageOf(balance, "persist_candles");
  assert.equal(countsOf(candles.became, "unreadable"), 2);
  assert.ok(candles.became.poison! > 0, JSON.stringify(candles));
  const losses = balance.losses.filter(({ shard }) => shard === SHARD);
  assert.ok(losses.find(({ stage }) => stage === "kline")!.lines.skipped! > 0, JSON.stringify(losses));
  assert.equal(losses.find(({ stage }) => stage === "persist_ticks")!.lines.bad_name, 2);
});

/** Gives a field of candles another type: InfluxDB refuses all candles of that week from then on. */
async function poison({ influxd }: Pipeline): Promise<void> {
  const point = `candles,venue=binance,market=ETH-USDT,interval=1s open="x" ${FIRST.timeMs}`;
  const url = `${influxd.url}/write?db=market&rp=candles&precision=ms`;
  const response = await fetch(url, { method: "POST", body: point });
  assert.equal(response.status, 204, await response.text());
}

/** A message with two trades, as somebody else may send it. */
function foreignMessage(): Uint8Array {
  const ticks = new TickBuffer(2);
  for (let i = 0; i < 2; i++) {
    ticks.market[i] = ticks.indexOf("BTC-USDT", 0, 0);
    ticks.id[i] = 1 + i;
    ticks.price[i] = 1;
    ticks.quantity[i] = 1;
    ticks.timeMs[i] = FIRST.timeMs;
    ticks.length++;
  }
  const common = { epoch: createEpoch(), seq: 1, sentMs: Date.now() + 3_600_000, venueMs: 0, down: [] };
  return new TickEncoder().encode({ ...common, ticks, ticksBefore: 0 });
}
