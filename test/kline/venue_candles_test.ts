import assert from "node:assert/strict";
import { test } from "node:test";
import { planLevels } from "../../src/kline/level.ts";
import { VenueCandles } from "../../src/kline/venue_candles.ts";
import { createCalendar } from "../../src/market/calendar.ts";
import type { Candle } from "../../src/market/candle.ts";
import { TickBuffer } from "../../src/market/tick_buffer.ts";
import { Tally } from "../../src/observe/tally.ts";
import { createEpoch } from "../../src/wire/epoch.ts";
import type { TickMessage } from "../../src/wire/tick_message.ts";

const START_MS = Date.UTC(2026, 0, 1);
const calendar = createCalendar("UTC");
const rules = {
  calendar,
  levels: planLevels(["1s"], calendar),
  closeDelayMs: 0,
  latenessMs: 60_000,
  fill: "flat" as const,
};

interface Sent {
  readonly epoch: number;
  readonly seq: number;
  /** Trades: id and time, ms after the start. */
  readonly trades: readonly (readonly [id: number, timeMs: number])[];
  readonly isStale?: boolean;
  /** By the publisher's clock, and when it is read, both ms after the start. @default 0 */
  readonly sentMs?: number;
  readonly readMs?: number;
  readonly ticksBefore?: number;
}

function message({ epoch, seq, trades, isStale = false, sentMs = 0, ticksBefore }: Sent): TickMessage {
  const ticks = new TickBuffer(16);
  for (const [id, timeMs] of trades) {
    const i = ticks.length++;
    ticks.market[i] = ticks.indexOf("BTC-USDT", 0, 0);
    ticks.id[i] = id;
    ticks.price[i] = 100;
    ticks.quantity[i] = 1;
    ticks.timeMs[i] = START_MS + timeMs;
  }
  return { epoch, seq, sentMs: START_MS + sentMs, venueMs: 0, ticks, down: [], ticksBefore, isStale };
}

function start() {
  const outcomes = new Tally();
  const venue = new VenueCandles("binance", rules, outcomes);
  const candles = new Map<number, Candle>();
  const publish = (candle: Candle) => void candles.set((candle.openMs - START_MS) / 1_000, candle);
  const take = (sent: Sent) => {
    const { readMs = 0 } = sent;
    const report = venue.take(message(sent), readMs);
    venue.engine.advance(venue.presentMs(readMs), { limit: 1_000, publish });
    return report;
  };
  return { take, candles, outcomes };
}

test("VenueCandles takes each message once", () => {
  const { take, outcomes } = start();
  const sent = { epoch: createEpoch(), seq: 1, trades: [[1, 100]] as const };
  assert.deepEqual(take(sent), { fate: "applied", missed: 0, missedTicks: 0 });
  assert.deepEqual(take(sent), { fate: "duplicate", missed: 0, missedTicks: 0 });
  assert.equal(outcomes.total, 1);
});

test("VenueCandles counts lost messages, and later ids tell which candles lack trades", () => {
  const { take, candles } = start();
  const epoch = createEpoch();
  take({ epoch, seq: 1, trades: [[1, 100]] });
  take({ epoch, seq: 2, trades: [[2, 1_100]], ticksBefore: 1 });
  // The third message is lost with two trades in it.
  const report = take({ epoch, seq: 4, trades: [[5, 3_100]], ticksBefore: 4 });
  assert.deepEqual(report, { fate: "applied", missed: 1, missedTicks: 2 });
  take({ epoch, seq: 5, trades: [[6, 5_100]] });
  const verdicts = [1, 2, 3, 4].map((second) => candles.get(second)!.complete);
  assert.deepEqual(verdicts, [false, false, false, true]);
});

test("VenueCandles finds nothing missing where a lost message held no trade", () => {
  const { take, candles } = start();
  const epoch = createEpoch();
  take({ epoch, seq: 1, trades: [[1, 100]] });
  take({ epoch, seq: 2, trades: [[2, 1_100]] });
  assert.equal(take({ epoch, seq: 9, trades: [[3, 3_100]] }).missed, 6);
  assert.deepEqual(
    [1, 2].map((second) => candles.get(second)!.complete),
    [true, true],
  );
});

test("VenueCandles skips stale messages, and the candles show it", () => {
  const { take, candles, outcomes } = start();
  const epoch = createEpoch();
  take({ epoch, seq: 1, trades: [[1, 100]] });
  take({ epoch, seq: 2, trades: [[2, 1_100]] });
  assert.deepEqual(
    take({
      epoch,
      seq: 3,
      trades: [
        [3, 1_200],
        [4, 1_300],
      ],
      isStale: true,
    }),
    {
      fate: "skipped",
      missed: 0,
      missedTicks: 0,
    },
  );
  take({ epoch, seq: 4, trades: [[5, 1_900]] });
  take({ epoch, seq: 5, trades: [[6, 3_100]] });
  assert.equal(outcomes.get("skipped"), 2);
  const candle = candles.get(1)!;
  assert.deepEqual([candle.trades, candle.missing, candle.complete], [2, 2, false]);
});

test("VenueCandles that reads late closes no candle before its trades, and vouches for none that it has not read", () => {
  const { take, candles } = start();
  const epoch = createEpoch();
  take({ epoch, seq: 1, trades: [[1, 100]], sentMs: 100, readMs: 100 });
  take({ epoch, seq: 2, trades: [[2, 1_100]], sentMs: 1_100, readMs: 1_100 });
  // It stands still for three seconds, and the message with the market's last trade is lost.
  take({ epoch, seq: 3, trades: [], sentMs: 1_300, readMs: 4_100 });
  assert.equal(candles.get(1), undefined);
  take({ epoch, seq: 5, trades: [], sentMs: 1_800, readMs: 4_101 });
  take({ epoch, seq: 6, trades: [], sentMs: 4_050, readMs: 4_110 });
  assert.deepEqual([candles.get(1)?.trades, candles.get(1)?.complete], [1, false]);
});
