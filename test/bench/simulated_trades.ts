import { createBinanceExchange } from "../../src/exchange/binance.ts";
import type { Trade } from "../../src/exchange/exchange.ts";
import { parseMarket } from "../../src/market/market.ts";
import { MarketModel } from "../../src/simulator/market_model.ts";
import { Random } from "../../src/simulator/random.ts";

const START_MS = Date.UTC(2026, 0, 1);
const STEP_MS = 100;
const BASES = ["BTC", "ETH", "SOL", "BNB", "XRP", "DOGE", "ADA", "AVAX"];

/** Markets of the benchmarks. */
export const BENCH_MARKETS = BASES.map((base) => parseMarket(`binance:${base}-USDT`));

/** An event as the venue sends it. */
export interface SimulatedEvent {
  readonly stream: string;
  readonly event: string;
}

/** The first `count` events of a seeded market with the given mean rate, in the order of time. */
export function simulateEvents(count: number, tradesPerSecond: number): SimulatedEvent[] {
  const models = BENCH_MARKETS.map((market, index) => {
    const shape = {
      symbol: market.name.replace("-", ""),
      startTicks: 6_000_000 >> index,
      priceDecimals: 2,
      quantityDecimals: 5,
      meanLots: 1_000,
      tradesPerSecond: tradesPerSecond / BENCH_MARKETS.length,
    };
    return new MarketModel(shape, new Random(index), { timeMs: START_MS, firstId: 1 });
  });
  const events: SimulatedEvent[] = [];
  for (let nowMs = START_MS; events.length < count; nowMs += STEP_MS) {
    for (const model of models) model.advance(nowMs, (stream, event) => events.push({ stream, event }));
  }
  return events.slice(0, count);
}

/** Events as trades, read by the venue's own reader. */
export function readTrades(events: readonly SimulatedEvent[]): Trade[] {
  const reader = createBinanceExchange().createReader(BENCH_MARKETS);
  return events.map(({ event }) => {
    if (reader.read(event) !== "trade") throw new Error(`Cannot read event ${event}: ${reader.message}`);
    return { ...reader.trade };
  });
}
