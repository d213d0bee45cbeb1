import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CandleEngine } from "../../src/kline/candle_engine.ts";
import { planLevels } from "../../src/kline/level.ts";
import { PublishedBefore } from "../../src/kline/published_before.ts";
import { createCalendar } from "../../src/market/calendar.ts";
import type { Candle } from "../../src/market/candle.ts";
import { Tally } from "../../src/observe/tally.ts";
import { batchOf } from "./batch_of.ts";
import { type ReferenceCandle, type ReferenceTrade, referenceCandles } from "./reference.ts";

const START_MS = Date.UTC(2026, 0, 1, 11, 59, 40);
const CLOSE_DELAY_MS = 500;
const MARKET = "BTC-USDT";
const INTERVAL_MS = { "1s": 1_000, "1m": 60_000 } as const;
const INTERVALS = ["1s", "1m"] as const;

interface Outage {
  readonly trades: readonly ReferenceTrade[];
  /** How many trades the first life had, and how many after these were lost with everything but the candles. */
  readonly known: number;
  readonly lost: number;
  readonly fill: "flat" | "none";
}

const outage: fc.Arbitrary<Outage> = fc
  .record({
    gapsMs: fc.array(fc.oneof(fc.integer({ min: 0, max: 700 }), fc.integer({ min: 700, max: 9_000 })), {
      minLength: 2,
      maxLength: 60,
      size: "max",
    }),
    known: fc.integer({ min: 1, max: 40 }),
    lost: fc.integer({ min: 0, max: 25 }),
    fill: fc.constantFrom("flat" as const, "none" as const),
  })
  .map(({ gapsMs, ...rest }) => {
    let timeMs = START_MS;
    const trades = gapsMs.map((gapMs, index) => {
      timeMs += gapMs;
      const price = String(100 + (index % 7));
      return { market: MARKET, id: 1_000 + index, price, quantity: "1", buy: index % 2 === 0, timeMs };
    });
    return { ...rest, trades };
  });

/** A life of an engine that gets some trades one by one. */
function live(
  { fill }: Outage,
  trades: readonly ReferenceTrade[],
  {
    before,
    publish,
    untilMs,
  }: { before?: PublishedBefore; publish: (candle: Candle) => void; untilMs?: number },
): void {
  const calendar = createCalendar("UTC");
  const levels = planLevels([...INTERVALS], calendar);
  const rules = { calendar, levels, closeDelayMs: CLOSE_DELAY_MS, latenessMs: 300_000, fill };
  const engine = new CandleEngine("sim", rules, new Tally());
  if (before !== undefined) engine.respect(MARKET, before);
  const apply = (trade: ReferenceTrade | undefined, venueMs: number) => {
    engine.apply(batchOf(trade), { venueMs, down: [] }, 0);
    while (engine.advance(0, { limit: 10, publish }) === 10);
  };
  for (const trade of trades) apply(trade, 0);
  if (untilMs !== undefined) apply(undefined, untilMs + CLOSE_DELAY_MS);
}

/** What is published last of each candle by two lives, the second of which has nothing but the first one's candles. */
function publishedBy(input: Outage, untilMs: number): Map<string, Candle> {
  const candles = new Map<string, Candle>();
  const publish = (candle: Candle) => void candles.set(`${candle.interval} ${candle.openMs}`, candle);
  live(input, input.trades.slice(0, input.known), { publish });
  const before = new PublishedBefore();
  for (const candle of candles.values()) before.note(candle);
  live(input, input.trades.slice(input.known + input.lost), { before, publish, untilMs });
  return candles;
}

function referenceOf({ trades, fill }: Outage, untilMs: number): ReferenceCandle[] {
  const boundaries = (interval: string, timeMs: number) => {
    const lengthMs = INTERVAL_MS[interval as keyof typeof INTERVAL_MS];
    const openMs = timeMs - (timeMs % lengthMs);
    return { openMs, endMs: openMs + lengthMs };
  };
  return [...referenceCandles(trades, { intervals: INTERVALS, fill, untilMs, boundaries }).values()];
}

test("MarketCandles leaves no interval without a candle when snapshots and ticks are lost", () => {
  const property = fc.property(outage, (input) => {
    fc.pre(input.known + input.lost < input.trades.length);
    // The first life closes a candle: of one that left nothing at all nobody knows when it began.
    const closableMs = input.trades[input.known - 1]!.timeMs - CLOSE_DELAY_MS;
    fc.pre(closableMs >= START_MS - (START_MS % 1_000) + 1_000 && input.trades[0]!.timeMs < START_MS + 1_000);
    const untilMs = input.trades.at(-1)!.timeMs + 1;
    const published = publishedBy(input, untilMs);
    for (const reference of referenceOf(input, untilMs)) {
      const key = `${reference.interval} ${reference.openMs}`;
      const candle = published.get(key);
      if (input.fill === "none" && candle === undefined) continue;
      assert.ok(candle !== undefined, `there is a candle ${key}`);
      if (candle.complete) {
        assert.equal(candle.trades, reference.trades, `${key} is complete and has all trades`);
        assert.equal(candle.volume, reference.volume);
        assert.equal(candle.close, reference.close);
      }
      assert.ok(candle.trades + candle.missing <= reference.trades, `${key} misses no more than there was`);
    }
  });
  fc.assert(property, { numRuns: 500, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: true });
});

test("MarketCandles goes on after the last candle of a life that left nothing else", () => {
  const at = (id: number, offsetMs: number): ReferenceTrade => {
    const timeMs = START_MS + offsetMs;
    return { market: MARKET, id, price: String(id), quantity: "1", buy: true, timeMs };
  };
  // The trade 3 closes the candle of 2; then 3 and 4 are lost with the life that had them.
  const trades = [
    at(1, 100),
    at(2, 1_100),
    at(3, 2_600),
    at(4, 4_000),
    at(5, 5_200),
    at(6, 6_300),
    at(7, 7_900),
  ];
  const input: Outage = { trades, known: 3, lost: 1, fill: "flat" };
  const candles = publishedBy(input, START_MS + 7_000);
  const seconds = [...candles.values()].filter(({ interval }) => interval === "1s");
  assert.deepEqual(
    seconds.map(({ openMs, ...candle }) => [
      (openMs - START_MS) / 1_000,
      candle.close,
      candle.trades,
      candle.complete,
    ]),
    [
      [0, "1", 1, false],
      [1, "2", 1, true],
      [2, "2", 0, false],
      [3, "2", 0, false],
      [4, "2", 0, false],
      [5, "5", 1, false],
      [6, "6", 1, true],
    ],
  );
});
