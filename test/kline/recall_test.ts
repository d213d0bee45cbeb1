import assert from "node:assert/strict";
import { readCandles } from "../../src/kline/read_candles.ts";
import type { Candle } from "../../src/market/candle.ts";
import { createEpoch } from "../../src/wire/epoch.ts";
import { type BusTest, busTest, eventually } from "../bus/harness.ts";
import { LATENESS_MS, startActor, ticksOf } from "./one_actor.ts";

const START_MS = Date.UTC(2026, 0, 1, 12);
const SECONDS = 200;
/** Long ago when the last second is there: its candles are forgotten. */
const FORGOTTEN_MS = START_MS + 70_000;

/** A trade every second, all of whose candles are closed, but for the last ones. */
async function seconds(t: BusTest) {
  for (const name of ["TICKS", "CANDLES", "LIVE", "SNAPSHOTS"] as const) await t.streams.ensure(name);
  const kline = startActor(t);
  await kline.ready;
  const epoch = createEpoch(Date.now());
  let seq = 0;
  const send = (trades: { id: number; timeMs: number }[]) =>
    t.bus.connection.jetstream().publish("ticks.0.binance", ticksOf({ epoch, seq: ++seq }, trades));
  await send(Array.from({ length: SECONDS }, (_, id) => ({ id, timeMs: START_MS + 1_000 * id })));
  // By one message candles are closed, by the next one they are forgotten.
  await eventually("candles are closed", async () => kline.actor.status().candlesClosed >= SECONDS - 10);
  await send([{ id: SECONDS, timeMs: START_MS + 1_000 * SECONDS + LATENESS_MS }]);
  await eventually("they are forgotten", async () => kline.actor.status().candlesClosed >= SECONDS);
  return { kline, send };
}

/** Revisions of all candles whose first one is not the last. */
async function revised({ bus }: BusTest): Promise<Candle[]> {
  const signal = AbortSignal.timeout(10_000);
  const revisions: Candle[] = [];
  for await (const { candle } of readCandles(bus, {
    filter: "candles.>",
    name: "test",
    sinceMs: 0,
    signal,
  })) {
    if (candle.revision > 0) revisions.push(candle);
  }
  return revisions;
}

const summary = ({ interval, openMs, trades, missing, revision, complete }: Candle) => ({
  interval,
  afterMs: openMs - START_MS,
  trades,
  missing,
  revision,
  complete,
});

/** The minute is not forgotten yet, so it is not read back first. */
const RECALLED = [
  { interval: "1m", afterMs: 60_000, trades: 60, missing: 0, revision: 1, complete: false },
  { interval: "1s", afterMs: 70_000, trades: 1, missing: 0, revision: 1, complete: false },
];

busTest("a trade that comes too late recalls the candles that were published without it, once", async (t) => {
  const { kline, send } = await seconds(t);
  await send([{ id: SECONDS + 1, timeMs: FORGOTTEN_MS }]);
  await eventually("it is recalled", async () => kline.actor.recalls.get("incomplete") > 0);
  await send([{ id: SECONDS + 2, timeMs: FORGOTTEN_MS }]);
  await eventually("so is another one", async () => kline.actor.ticks.get("too_late") === 2);
  await kline.stop();
  assert.deepEqual((await revised(t)).map(summary), RECALLED);
  assert.deepEqual([...kline.actor.recalls.entries()], [["incomplete", 1]]);
});

busTest("a KlineActor that is stopped recalls what it has to before", async (t) => {
  const { kline, send } = await seconds(t);
  await send([{ id: SECONDS + 1, timeMs: FORGOTTEN_MS }]);
  await eventually("it is too late", async () => kline.actor.ticks.get("too_late") === 1);
  await kline.stop();
  assert.deepEqual((await revised(t)).map(summary), RECALLED);
});
