import assert from "node:assert/strict";
import { CandlePublisher } from "../../src/bus/candle_publisher.ts";
import { LivePublisher } from "../../src/bus/live_publisher.ts";
import { KlineActor } from "../../src/kline/kline.ts";
import { planLevels } from "../../src/kline/level.ts";
import { decodeSnapshot } from "../../src/kline/market_snapshot.ts";
import { createCalendar } from "../../src/market/calendar.ts";
import { TickBuffer } from "../../src/market/tick_buffer.ts";
import { createLog } from "../../src/observe/log.ts";
import { createEpoch } from "../../src/wire/epoch.ts";
import { TickEncoder } from "../../src/wire/tick_encoder.ts";
import { type BusTest, busTest, eventually } from "../bus/harness.ts";

const SNAPSHOT_SUBJECT = "snapshots.0.binance.BTC-USDT";
const SNAPSHOT_INTERVAL_MS = 50;

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

function startActor({ bus, streams }: BusTest) {
  const calendar = createCalendar("UTC");
  const candles = new CandlePublisher(bus, streams);
  const actor = new KlineActor({
    shard: 0,
    shards: 1,
    rules: {
      calendar,
      levels: planLevels(["1s", "1m"], calendar),
      closeDelayMs: 1_000,
      latenessMs: 5_000,
      fill: "flat",
    },
    tickMaxLagMs: 0,
    consumerExpiryMs: 10_000,
    snapshotIntervalMs: SNAPSHOT_INTERVAL_MS,
    bus,
    streams,
    candles,
    live: new LivePublisher(bus, streams),
    permissions: { net: [], env: [] },
    log: createLog("silent"),
  });
  const end = new AbortController();
  let running: Promise<void> | undefined;
  const ready = new Promise<void>((resolve) => {
    running = actor.run({ signal: end.signal, ready: resolve, beat: () => undefined });
  });
  const stop = async () => {
    end.abort();
    await running;
    candles.close();
  };
  return { ready, stop };
}

function oneTrade(): Uint8Array {
  const nowMs = Date.now();
  const ticks = new TickBuffer(1);
  ticks.market[0] = ticks.indexOf("BTC-USDT", 2, 4);
  ticks.id[0] = 1;
  ticks.price[0] = 100_00;
  ticks.quantity[0] = 5;
  ticks.buy[0] = 1;
  ticks.timeMs[0] = nowMs;
  ticks.receivedMs[0] = nowMs;
  ticks.length = 1;
  const common = { epoch: createEpoch(nowMs), seq: 1, sentMs: nowMs, venueMs: nowMs, down: [] };
  return new TickEncoder().encode({ ...common, ticks });
}
