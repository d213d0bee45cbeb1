import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CandleEngine } from "../../src/kline/candle_engine.ts";
import { planLevels } from "../../src/kline/level.ts";
import { createCalendar } from "../../src/market/calendar.ts";
import type { Candle } from "../../src/market/candle.ts";
import { INTERVALS } from "../../src/market/interval.ts";
import { Tally } from "../../src/observe/tally.ts";
import { batchOf } from "./batch_of.ts";
import { type ReferenceTrade, referenceCandles } from "./reference.ts";

const START_MS = Date.UTC(2024, 1, 28, 23, 58, 57);
const MARKET = "BTC-USDT";
const calendar = createCalendar("UTC");

const step = fc.record({
  gapMs: fc.oneof(fc.integer({ min: 0, max: 900 }), fc.integer({ min: 1_000, max: 20_000 })),
  price: fc.integer({ min: 1, max: 99_999 }),
  buy: fc.boolean(),
  lost: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
});

const boundaries = (interval: (typeof INTERVALS)[number], timeMs: number) => {
  const openMs = calendar.openOf(interval, timeMs);
  return { openMs, endMs: calendar.endOf(interval, openMs) };
};

test("CandleEngine.publishLive() shows the open candle of every interval as the trades so far make it", () => {
  const steps = fc.array(step, { minLength: 1, maxLength: 30, size: "max" });
  const intervals = fc.subarray([...INTERVALS], { minLength: 1 });
  const property = fc.property(steps, intervals, (all, shown) => {
    const rules = {
      calendar,
      levels: planLevels(shown, calendar),
      closeDelayMs: 500,
      latenessMs: 5_000,
      fill: "flat" as const,
    };
    const engine = new CandleEngine("sim", rules, new Tally());
    const trades: ReferenceTrade[] = [];
    let timeMs = START_MS;
    for (const [id, { gapMs, price, buy, lost }] of all.entries()) {
      timeMs += gapMs;
      if (lost) continue;
      const trade = { market: MARKET, id, price: String(price), quantity: "0.5", buy, timeMs };
      trades.push(trade);
      take(engine, trade);
      const live = new Map<string, Candle>();
      engine.publishLive(1, (candle) => live.set(candle.interval, candle));
      assert.equal(live.size, shown.length);
      for (const [interval, { venue: _, late: __, revision: ___, ...candle }] of live) {
        const { endMs: untilMs } = boundaries(candle.interval, timeMs);
        const options = { intervals: [candle.interval], fill: "none", untilMs, boundaries } as const;
        assert.deepEqual(candle, [...referenceCandles(trades, options).values()].at(-1), interval);
      }
    }
  });
  fc.assert(property, { numRuns: 60, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: true });
});

/** Adds a trade and closes what is due. */
function take(engine: CandleEngine, trade: ReferenceTrade): void {
  engine.apply(batchOf(trade), { venueMs: 0, down: [] }, 0);
  while (engine.advance(0, { limit: 1_000, publish: () => undefined }) === 1_000);
}
