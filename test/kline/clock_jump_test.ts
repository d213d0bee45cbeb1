import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CandleEngine } from "../../src/kline/candle_engine.ts";
import { planLevels } from "../../src/kline/level.ts";
import { createCalendar } from "../../src/market/calendar.ts";
import type { Candle } from "../../src/market/candle.ts";
import type { Interval } from "../../src/market/interval.ts";
import { Tally } from "../../src/observe/tally.ts";
import { batchOf } from "./batch_of.ts";
import { type ReferenceTrade, referenceCandles } from "./reference.ts";

const START_MS = Date.UTC(2026, 0, 1, 11, 58, 40);
const CLOSE_DELAY_MS = 500;
const INTERVAL_MS = { "1s": 1_000, "1m": 60_000, "1h": 3_600_000 } as const;

interface Feed {
  /** In the order of arrival, which is that of their ids; their times are not in order where the venue's clock jumps. */
  readonly trades: readonly ReferenceTrade[];
  readonly intervals: readonly (keyof typeof INTERVAL_MS)[];
  readonly latenessMs: number;
  readonly fill: "flat" | "none";
}

const step = fc.record({
  market: fc.constantFrom("BTC-USDT", "ETH-USDT"),
  gapMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 900 }), fc.integer({ min: 1_000, max: 90_000 })),
  lost: fc.integer({ min: 0, max: 14 }).map((n) => n === 0),
  /** How far the venue's clock is set forward or back before the trade, ms. */
  jumpMs: fc.oneof(
    { weight: 8, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.constantFrom(2_000, 100_000, 3_600_000) },
    { weight: 1, arbitrary: fc.constantFrom(-2_000, -100_000, -150_000, -3_600_000) },
  ),
});

const feed: fc.Arbitrary<Feed> = fc
  .record({
    steps: fc.array(step, { minLength: 1, maxLength: 40, size: "max" }),
    /** Seconds with a trade each before the rest: only a market of which enough is kept forgets. */
    seconds: fc.constantFrom(0, 300),
    intervals: fc.subarray(["1s", "1m", "1h"] as const, { minLength: 1 }),
    latenessMs: fc.constantFrom(0, 700, 5_000, 300_000),
    fill: fc.constantFrom("flat" as const, "none" as const),
  })
  .map(({ steps: last, seconds, ...rest }) => {
    const second = { market: "BTC-USDT" as const, gapMs: 1_000, lost: false, jumpMs: 0 };
    const steps = [...Array.from({ length: seconds }, () => second), ...last];
    let timeMs = START_MS;
    const trades: ReferenceTrade[] = [];
    const ids = { "BTC-USDT": 1_000, "ETH-USDT": 1_000 };
    for (const [index, { market, gapMs, lost, jumpMs }] of steps.entries()) {
      timeMs += gapMs + jumpMs;
      const id = ids[market]++;
      if (lost) continue;
      trades.push({ market, id, price: String(100 + (index % 7)), quantity: "1", buy: true, timeMs });
    }
    return { ...rest, trades };
  });

/** The candles as they are in the end, and the trades that are in them or were dropped. */
function run({ trades, intervals, latenessMs, fill }: Feed, untilMs: number) {
  const calendar = createCalendar("UTC");
  const levels = planLevels(intervals, calendar);
  const outcomes = new Tally();
  const rules = { calendar, levels, closeDelayMs: CLOSE_DELAY_MS, latenessMs, fill };
  const engine = new CandleEngine("sim", rules, outcomes);
  const candles = new Map<string, Candle>();
  const publish = (candle: Candle) => {
    const key = keyOf(candle);
    assert.equal(candle.revision, (candles.get(key)?.revision ?? -1) + 1, `revision of ${key}`);
    candles.set(key, candle);
  };
  /** What the actor does with candles that are only in the stream any more. */
  const recall = () => {
    for (const [market, recalls] of engine.recalls()) {
      for (const each of recalls.pending()) {
        const candle = candles.get(keyOf({ market, ...each }));
        if (candle?.complete) publish({ ...candle, complete: false, revision: candle.revision + 1 });
      }
      recalls.settle(recalls.pending());
    }
  };
  const apply = (trade: ReferenceTrade | undefined, venueMs: number) => {
    engine.apply(batchOf(trade), { venueMs, down: [] }, 0);
    while (engine.advance(0, { limit: 1_000, publish }) === 1_000);
    recall();
  };
  const taken: ReferenceTrade[] = [];
  const dropped: ReferenceTrade[] = [];
  for (const trade of trades) {
    const before = outcomes.get("too_late");
    apply(trade, 0);
    (outcomes.get("too_late") === before ? taken : dropped).push(trade);
  }
  apply(undefined, untilMs + CLOSE_DELAY_MS);
  return { candles, taken, dropped };
}

function keyOf({ market, interval, openMs }: Pick<Candle, "market" | "interval" | "openMs">): string {
  return `${market} ${interval} ${openMs}`;
}

function boundaries(interval: Interval, timeMs: number): { openMs: number; endMs: number } {
  const lengthMs = INTERVAL_MS[interval as keyof typeof INTERVAL_MS];
  const openMs = timeMs - (timeMs % lengthMs);
  return { openMs, endMs: openMs + lengthMs };
}

test("wherever the venue's clock jumps, a candle that lacks a trade says so, and no other", () => {
  const property = fc.property(feed, (input) => {
    fc.pre(input.trades.length > 0);
    const untilMs = Math.max(...input.trades.map(({ timeMs }) => timeMs)) + 1;
    const { candles, taken, dropped } = run(input, untilMs);
    const lacks = ({ market, openMs, endMs }: Pick<Candle, "market" | "openMs" | "endMs">) =>
      dropped.some((trade) => trade.market === market && trade.timeMs >= openMs && trade.timeMs < endMs);
    const { intervals, fill } = input;
    for (const [key, reference] of referenceCandles(taken, { intervals, fill, untilMs, boundaries })) {
      const { venue: _, late: __, revision: ___, ...candle } = candles.get(key) ?? ({} as Candle);
      assert.deepEqual(candle, { ...reference, complete: reference.complete && !lacks(reference) }, key);
    }
  });
  fc.assert(property, { numRuns: 300, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: true });
});
