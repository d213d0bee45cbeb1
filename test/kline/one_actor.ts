import { CandlePublisher } from "../../src/bus/candle_publisher.ts";
import { LivePublisher } from "../../src/bus/live_publisher.ts";
import { KlineActor } from "../../src/kline/kline.ts";
import { planLevels } from "../../src/kline/level.ts";
import { createCalendar } from "../../src/market/calendar.ts";
import { TickBuffer } from "../../src/market/tick_buffer.ts";
import { createLog } from "../../src/observe/log.ts";
import { TickEncoder } from "../../src/wire/tick_encoder.ts";
import type { BusTest } from "../bus/harness.ts";

export const SNAPSHOT_INTERVAL_MS = 50;
export const LATENESS_MS = 5_000;

/** A kline actor of the only shard, on the bus of a test. */
export function startActor({ bus, streams }: BusTest) {
  const calendar = createCalendar("UTC");
  const candles = new CandlePublisher(bus, streams);
  const actor = new KlineActor({
    shard: 0,
    shards: 1,
    rules: {
      calendar,
      levels: planLevels(["1s", "1m"], calendar),
      closeDelayMs: 1_000,
      latenessMs: LATENESS_MS,
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
  return { actor, ready, stop };
}

/** The message of a publisher that has trades of BTC-USDT, by id and time. */
export function ticksOf(
  { epoch, seq }: { readonly epoch: number; readonly seq: number },
  trades: readonly { readonly id: number; readonly timeMs: number }[],
): Uint8Array {
  const nowMs = Date.now();
  const ticks = new TickBuffer(trades.length);
  for (const [i, { id, timeMs }] of trades.entries()) {
    ticks.market[i] = ticks.indexOf("BTC-USDT", 2, 4);
    ticks.id[i] = id;
    ticks.price[i] = 100;
    ticks.quantity[i] = 5;
    ticks.buy[i] = 1;
    ticks.timeMs[i] = timeMs;
    ticks.receivedMs[i] = nowMs;
  }
  ticks.length = trades.length;
  const venueMs = Math.max(...trades.map(({ timeMs }) => timeMs));
  return new TickEncoder().encode({ epoch, seq, sentMs: nowMs, venueMs, down: [], ticks });
}
