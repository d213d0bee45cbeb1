import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { CandleEngine, type EngineSnapshot } from "../../src/kline/candle_engine.ts";
import { planLevels } from "../../src/kline/level.ts";
import { PublishedBefore } from "../../src/kline/published_before.ts";
import { savedMarketSchema } from "../../src/kline/saved_state.ts";
import { createCalendar } from "../../src/market/calendar.ts";
import type { Candle } from "../../src/market/candle.ts";
import { INTERVALS, type Interval } from "../../src/market/interval.ts";
import { shardOf } from "../../src/market/shard.ts";
import { TickBuffer } from "../../src/market/tick_buffer.ts";
import { Tally } from "../../src/observe/tally.ts";
import { decimalsOf } from "./batch_of.ts";
import { type ReferenceTrade, referenceCandles } from "./reference.ts";

const START_MS = Date.UTC(2024, 1, 28, 23, 59, 30);
const CLOSE_DELAY_MS = 500;

interface Feed {
  readonly trades: readonly ReferenceTrade[];
  /** Trades in the order of arrival, some of them more than once, cut into batches. */
  readonly batches: readonly (readonly ReferenceTrade[])[];
  /** Numbers of the batches after which something may have been lost. */
  readonly doubts: ReadonlySet<number>;
  /** Lives that end: each is killed after a batch, and the next goes on from a snapshot of some batches before. */
  readonly kills: ReadonlyMap<number, { readonly lag: number }>;
  readonly intervals: readonly Interval[];
  readonly latenessMs: number;
  readonly fill: "flat" | "none";
  readonly timeZone: string;
  readonly shards: number;
}

const decimal = (maxDecimals: number) =>
  fc
    .tuple(fc.integer({ min: 1, max: 9_999_999 }), fc.integer({ min: 0, max: maxDecimals }))
    .map(([units, decimals]) => {
      const digits = String(units).padStart(decimals + 1, "0");
      const point = digits.length - decimals;
      return decimals === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
    });

/** Numbers as large and as fine as the contract lets them be: 15 significant digits. */
const hugeDecimal = fc
  .tuple(fc.integer({ min: 1e14, max: 1e15 - 1 }), fc.integer({ min: 0, max: 14 }))
  .map(([units, decimals]) => {
    const digits = String(units);
    const point = digits.length - decimals;
    return decimals === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
  });

const number = fc.oneof({ weight: 9, arbitrary: decimal(8) }, { weight: 1, arbitrary: hugeDecimal });

/** Gaps between trades: sweeps within a millisecond, ordinary trading, silence. */
const gapMs = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0) },
  { weight: 5, arbitrary: fc.integer({ min: 1, max: 900 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1_000, max: 60_000 }) },
);

const oneTrade = fc.record({
  market: fc.constantFrom("BTC-USDT", "ETH-USDT", "DOGE-USDT"),
  price: number,
  quantity: number,
  buy: fc.boolean(),
  gapMs,
  lost: fc.integer({ min: 0, max: 19 }).map((n) => n === 0),
  copies: fc.integer({ min: 1, max: 12 }).map((n) => (n === 12 ? 2 : 1)),
  jitter: fc.integer({ min: 0, max: 1000 }).map((permille) => permille / 1000),
  batchEnds: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
  doubt: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
});

const feed: fc.Arbitrary<Feed> = fc
  .record({
    steps: fc.array(oneTrade, { minLength: 1, maxLength: 120, size: "max" }),
    intervals: fc.oneof(
      fc.subarray([...INTERVALS], { minLength: 1 }),
      fc.subarray([...INTERVALS].slice(0, 4), { minLength: 1 }),
    ),
    latenessMs: fc.constantFrom(0, 700, 5_000, 300_000),
    fill: fc.constantFrom("flat" as const, "none" as const),
    timeZone: fc.constantFrom("UTC", "Asia/Shanghai", "Asia/Kolkata"),
    shards: fc.constantFrom(1, 2, 8),
    kills: fc
      .array(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 8 })), { maxLength: 4 })
      .map((pairs) => new Map(pairs.map(([batch, lag]) => [batch, { lag }]))),
  })
  .map(({ steps, ...rest }) => {
    const nextId = new Map<string, number>();
    const trades: ReferenceTrade[] = [];
    const arrivals: { trade: ReferenceTrade; arrivalMs: number; batchEnds: boolean; doubt: boolean }[] = [];
    let timeMs = START_MS;
    for (const step of steps) {
      timeMs += step.gapMs;
      const id = nextId.get(step.market) ?? 1000;
      nextId.set(step.market, id + 1);
      if (step.lost) continue;
      const { market, price, quantity, buy, batchEnds, doubt } = step;
      const trade = { market, id, price, quantity, buy, timeMs };
      trades.push(trade);
      for (let copy = 0; copy < step.copies; copy++) {
        const arrivalMs = timeMs + ((step.jitter * (copy + 1)) / step.copies) * rest.latenessMs;
        arrivals.push({ trade, arrivalMs, batchEnds, doubt });
      }
    }
    arrivals.sort((a, b) => a.arrivalMs - b.arrivalMs);
    const batches: ReferenceTrade[][] = [[]];
    const doubts = new Set<number>();
    for (const { trade, batchEnds, doubt } of arrivals) {
      batches.at(-1)!.push(trade);
      if (!batchEnds) continue;
      if (doubt) doubts.add(batches.length - 1);
      batches.push([]);
    }
    return { ...rest, trades, batches, doubts };
  });

const FIXED_OFFSET_MS: Record<string, number> = {
  UTC: 0,
  "Asia/Shanghai": 8 * 3_600_000,
  "Asia/Kolkata": 5.5 * 3_600_000,
};

/** Candle boundaries of zones without daylight saving, worked out apart from the calendar under test. */
function boundariesOf(timeZone: string) {
  const offsetMs = FIXED_OFFSET_MS[timeZone]!;
  const dayMs = 86_400_000;
  return (interval: Interval, timeMs: number): { openMs: number; endMs: number } => {
    const unit = interval.at(-1)!;
    const size = Number(interval.slice(0, -1));
    const local = timeMs + offsetMs;
    if (unit === "M") {
      const date = new Date(local);
      const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
      return { openMs: Date.UTC(year, month) - offsetMs, endMs: Date.UTC(year, month + 1) - offsetMs };
    }
    const lengthMs = size * { s: 1000, m: 60_000, h: 3_600_000, d: dayMs, w: 7 * dayMs }[unit]!;
    const shiftMs = unit === "s" || unit === "m" || unit === "h" ? 0 : offsetMs;
    const anchorMs = unit === "w" ? 4 * dayMs : 0;
    const at = timeMs + shiftMs - anchorMs;
    const openMs = at - (((at % lengthMs) + lengthMs) % lengthMs) + anchorMs - shiftMs;
    return { openMs, endMs: openMs + lengthMs };
  };
}

interface Life {
  readonly engines: readonly CandleEngine[];
}

/** What a life saved after a batch: by engine and market, as it comes back from the bus. */
type Snapshot = readonly ReadonlyMap<string, EngineSnapshot>[];

function save({ engines }: Life): Snapshot {
  return engines.map((engine) => {
    const saved = new Map<string, EngineSnapshot>();
    for (const market of engine.markets) {
      const snapshot = engine.save(market);
      if (snapshot === undefined) continue;
      const back = decode(encode(snapshot)) as EngineSnapshot;
      saved.set(market, { ...back, market: savedMarketSchema.parse(back.market) });
    }
    return saved;
  });
}

/** Runs the engines of all shards over a feed; the last published candle of each series and open time. */
function run(input: Feed, untilMs: number): { candles: Map<string, Candle>; outcomes: Tally } {
  const calendar = createCalendar(input.timeZone);
  const rules = {
    calendar,
    levels: planLevels(input.intervals, calendar),
    closeDelayMs: CLOSE_DELAY_MS,
    latenessMs: input.latenessMs,
    fill: input.fill,
  };
  const outcomes = new Tally();
  const start = (tally: Tally): Life => ({
    engines: Array.from({ length: input.shards }, () => new CandleEngine("sim", rules, tally)),
  });
  const candles = new Map<string, Candle>();
  /** What was published after each batch. */
  const published: Candle[][] = [[]];
  const publish = (candle: Candle) => {
    const key = `${candle.market} ${candle.interval} ${candle.openMs}`;
    const before = candles.get(key);
    assert.equal(candle.revision, before === undefined ? 0 : before.revision + 1, `revision of ${key}`);
    candles.set(key, candle);
    published.at(-1)!.push(candle);
  };
  const apply = ({ engines }: Life, trades: readonly ReferenceTrade[], venueMs: number) => {
    const buffers = engines.map(() => new TickBuffer(200));
    for (const trade of trades) {
      const buffer = buffers[shardOf(`sim:${trade.market}`, input.shards)]!;
      const i = buffer.length;
      buffer.market[i] = buffer.indexOf(trade.market, decimalsOf(trade.price), decimalsOf(trade.quantity));
      buffer.length++;
      buffer.id[i] = trade.id;
      buffer.price[i] = Number(trade.price);
      buffer.quantity[i] = Number(trade.quantity);
      buffer.buy[i] = trade.buy ? 1 : 0;
      buffer.timeMs[i] = trade.timeMs;
    }
    for (const [shard, engine] of engines.entries()) {
      engine.apply(buffers[shard]!, { venueMs, down: [] }, 0);
    }
  };
  const advance = ({ engines }: Life) => {
    for (const engine of engines) while (engine.advance(0, { limit: 3, publish }) === 3);
  };
  const feedAll = (life: Life, trades: readonly ReferenceTrade[], venueMs: number) => {
    apply(life, trades, venueMs);
    advance(life);
  };
  /** A life that goes on where another one was after a batch, and catches up. */
  const resume = (snapshots: readonly Snapshot[], batch: number, lag: number): Life => {
    const from = Math.max(0, batch - lag);
    const life = start(new Tally());
    for (const [shard, engine] of life.engines.entries()) {
      for (const [market, snapshot] of snapshots[from]![shard]!) engine.load(market, snapshot, 0);
    }
    for (const candle of published.slice(from + 1).flat()) {
      const shard = shardOf(`sim:${candle.market}`, input.shards);
      const key = `${shard} ${candle.market}`;
      const before = respected.get(key) ?? new PublishedBefore();
      respected.set(key, before);
      before.note(candle);
      life.engines[shard]!.respect(candle.market, before);
    }
    respected.clear();
    for (let replayed = from + 1; replayed <= batch; replayed++) apply(life, input.batches[replayed]!, 0);
    advance(life);
    return life;
  };
  const respected = new Map<string, PublishedBefore>();
  const snapshots: Snapshot[] = [];
  let life = start(outcomes);
  for (const [index, batch] of input.batches.entries()) {
    feedAll(life, batch, 0);
    if (input.doubts.has(index)) for (const engine of life.engines) engine.doubt();
    snapshots.push(save(life));
    const kill = input.kills.get(index);
    if (kill !== undefined) life = resume(snapshots, index, kill.lag);
    published.push([]);
  }
  feedAll(life, [], untilMs + CLOSE_DELAY_MS);
  return { candles, outcomes };
}

function check(input: Feed): void {
  const lastMs = Math.max(START_MS, ...input.trades.map((trade) => trade.timeMs));
  const untilMs = lastMs + 90_000;
  const expected = referenceCandles(input.trades, {
    intervals: input.intervals,
    fill: input.fill,
    untilMs,
    boundaries: boundariesOf(input.timeZone),
  });
  const { candles, outcomes } = run(input, untilMs);
  const actual = new Map([...candles].map(([key, { venue, late, revision, ...candle }]) => [key, candle]));
  assert.deepEqual([...actual.keys()].sort(), [...expected.keys()].sort());
  for (const [key, candle] of expected) assert.deepEqual(actual.get(key), candle, key);
  if (input.kills.size > 0) return;
  const arrived = input.batches.flat().length;
  assert.equal(outcomes.get("accepted") + outcomes.get("late"), input.trades.length);
  assert.equal(outcomes.get("duplicate"), arrived - input.trades.length);
}

const limits = { numRuns: 250, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: true };

test("CandleEngine makes of any arrival within lateness what exact arithmetic makes of the set", () => {
  fc.assert(
    fc.property(feed, (input) => check({ ...input, doubts: new Set(), kills: new Map() })),
    limits,
  );
});

/** A last trade of each market, which comes when all others are there and whose id shows that none is missing. */
function withProof(input: Feed): Feed {
  const lastMs = Math.max(START_MS, ...input.trades.map(({ timeMs }) => timeMs));
  const last = new Map<string, ReferenceTrade>();
  for (const trade of input.trades) {
    if ((last.get(trade.market)?.id ?? -1) < trade.id) last.set(trade.market, trade);
  }
  const proofs = [...last.values()].map((trade) => ({ ...trade, id: trade.id + 1, timeMs: lastMs + 1 }));
  return { ...input, trades: [...input.trades, ...proofs], batches: [...input.batches, proofs] };
}

test("CandleEngine.doubt() changes nothing in the end where later ids show that nothing was lost", () => {
  fc.assert(
    fc.property(feed, (input) => check({ ...withProof(input), kills: new Map() })),
    limits,
  );
});

/** A life without a snapshot first sees a trade after the last published candle, then the trades of that one. */
function restartWithOldTradesLast(): Feed {
  const trade = (id: number, price: string, afterMs: number): ReferenceTrade => ({
    market: "BTC-USDT",
    id,
    price,
    quantity: "1",
    buy: true,
    timeMs: START_MS + afterMs,
  });
  const [first, second, third, fourth] = [
    trade(1000, "1", 576),
    trade(1004, "7", 2144),
    trade(1005, "6", 3444),
    trade(1006, "8", 3579),
  ];
  return {
    trades: [first!, second!, third!, fourth!],
    batches: [[], [third!, first!], [fourth!], [second!]],
    doubts: new Set(),
    kills: new Map([[3, { lag: 8 }]]),
    intervals: ["1s", "1m"],
    latenessMs: 300_000,
    fill: "flat",
    timeZone: "UTC",
    shards: 1,
  };
}

test("CandleEngine.load() goes on as if nothing had happened, from a snapshot of now or of some batches ago", () => {
  fc.assert(
    fc.property(feed, (input) => check({ ...input, doubts: new Set() })),
    { ...limits, examples: [[restartWithOldTradesLast()]] },
  );
});
