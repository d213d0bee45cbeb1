import { compute, computeTradeBars, type NormalizedData, type Trade as TardisTrade } from "tardis-dev";
import type { Trade } from "../../src/exchange/exchange.ts";
import { CandleEngine } from "../../src/kline/candle_engine.ts";
import { planLevels } from "../../src/kline/level.ts";
import { createCalendar } from "../../src/market/calendar.ts";
import { FIXED_INTERVAL_MS, type Interval } from "../../src/market/interval.ts";
import type { TickBatch } from "../../src/market/tick.ts";
import { Tally } from "../../src/observe/tally.ts";
import { toBatches } from "./batches.ts";
import { describeMachine, formatRate, median, printTable } from "./machine.ts";
import { BENCH_MARKETS, readTrades, simulateEvents } from "./simulated_trades.ts";

/**
 * Candles of seven intervals in one process: our engine, and the trade bars of tardis-dev, on the same trades. Theirs
 * are floats without check for gaps, duplicates or order; ours are exact and know whether they are complete.
 */

const INTERVALS: readonly Interval[] = ["1s", "1m", "5m", "15m", "1h", "4h", "1d"];
const DAY_MS = 86_400_000;
const TICKS = 1_000_000;
const TICKS_PER_SECOND = 1_000;
const BATCH_TICKS = 64;
const ROUNDS = 5;

/** Seconds that our engine takes; it publishes every closed candle to nobody. */
function runEngine(batches: readonly TickBatch[]): { seconds: number; candles: number } {
  const calendar = createCalendar("UTC");
  const outcomes = new Tally();
  const engine = new CandleEngine(
    "binance",
    {
      calendar,
      levels: planLevels(INTERVALS, calendar),
      closeDelayMs: 500,
      latenessMs: 300_000,
      fill: "flat",
    },
    outcomes,
  );
  let candles = 0;
  const options = { limit: Number.MAX_SAFE_INTEGER, publish: () => void candles++ };
  const news = { venueMs: 0, down: [] };
  const startMs = performance.now();
  for (const batch of batches) {
    engine.apply(batch, news, 0);
    engine.advance(0, options);
  }
  const seconds = (performance.now() - startMs) / 1_000;
  if (outcomes.get("accepted") !== TICKS) throw new Error(`Accepted ${outcomes.get("accepted")} of ${TICKS}`);
  return { seconds, candles };
}

function toTardis(trades: readonly Trade[]): TardisTrade[] {
  return trades.map(({ market, id, price, quantity, buy, timeMs }) => ({
    type: "trade",
    symbol: BENCH_MARKETS[market]!.name,
    exchange: "binance",
    id: String(id),
    price,
    amount: quantity,
    side: buy ? "buy" : "sell",
    timestamp: new Date(timeMs),
    localTimestamp: new Date(timeMs),
  }));
}

const tardisBars = INTERVALS.map((interval) =>
  computeTradeBars({ kind: "time", interval: FIXED_INTERVAL_MS[interval] ?? DAY_MS }),
);

/** Their computation as it is used: over an async iterable of messages. */
async function runTardis(trades: readonly TardisTrade[]): Promise<{ seconds: number; candles: number }> {
  async function* messages(): AsyncGenerator<NormalizedData> {
    yield* trades;
  }
  let candles = 0;
  const startMs = performance.now();
  for await (const message of compute(messages(), ...tardisBars)) if (message.type === "trade_bar") candles++;
  return { seconds: (performance.now() - startMs) / 1_000, candles };
}

/** Their computation without the async iterable: the seven computables of each market, called one by one. */
function runTardisDirectly(trades: readonly TardisTrade[]): { seconds: number; candles: number } {
  const computables = new Map(
    BENCH_MARKETS.map(({ name }) => [name, tardisBars.map((create) => create())] as const),
  );
  let candles = 0;
  const startMs = performance.now();
  for (const trade of trades) {
    for (const computable of computables.get(trade.symbol)!)
      for (const _ of computable.compute(trade)) candles++;
  }
  return { seconds: (performance.now() - startMs) / 1_000, candles };
}

const trades = readTrades(simulateEvents(TICKS, TICKS_PER_SECOND));
const batches = toBatches(trades, BATCH_TICKS);
const tardisTrades = toTardis(trades);
const contestants = [
  { name: "tickline engine", run: () => runEngine(batches) },
  { name: "tardis-dev compute()", run: () => runTardis(tardisTrades) },
  { name: "tardis-dev, computables called directly", run: () => runTardisDirectly(tardisTrades) },
];
const results = contestants.map(({ name }) => ({ name, seconds: [] as number[], candles: 0 }));
for (let round = 0; round < ROUNDS; round++) {
  for (const [index, { run }] of contestants.entries()) {
    const { seconds, candles } = await run();
    results[index]!.seconds.push(seconds);
    results[index]!.candles = candles;
  }
}
const ownSeconds = median(results[0]!.seconds);
process.stdout.write(
  `Candle engine: ${TICKS} ticks of ${BENCH_MARKETS.length} markets, ${INTERVALS.join(",")}, one process\n` +
    `${describeMachine()}\n\n`,
);
printTable(
  ["what", "ticks/s, median", "best", "candles", "tickline is"],
  results.map(({ name, seconds, candles }) => [
    name,
    formatRate(TICKS / median(seconds)),
    formatRate(TICKS / Math.min(...seconds)),
    String(candles),
    `${(median(seconds) / ownSeconds).toFixed(1)} ×`,
  ]),
);
