import type { Market } from "../../src/market/market.ts";
import { MarketModel } from "../../src/simulator/market_model.ts";
import { Random } from "../../src/simulator/random.ts";
import type { RecordedEvent } from "../../src/simulator/recording.ts";
import type { ReferenceTrade } from "../kline/reference.ts";

const STEP_MS = 5;

export interface ReplayedTradesOptions {
  readonly seed: number;
  readonly startMs: number;
  readonly endMs: number;
  /** Mean of each market. */
  readonly tradesPerSecond: number;
}

/** Trades of some markets that a seed determines, as an exchange sends them and as plain trades. */
export function replayedTrades(markets: readonly Market[], options: ReplayedTradesOptions) {
  const { seed, startMs, endMs, tradesPerSecond } = options;
  const events: RecordedEvent[] = [];
  const trades: ReferenceTrade[] = [];
  const models = markets.map(({ name, base, quote }, index) => {
    const random = new Random(seed + index);
    const shape = {
      symbol: `${base}${quote}`,
      startTicks: 1_000_000,
      priceDecimals: 1 + index,
      quantityDecimals: 6 - index,
      meanLots: 500,
      tradesPerSecond,
    };
    return { name, model: new MarketModel(shape, random, { timeMs: startMs, firstId: 1_000 * (index + 1) }) };
  });
  for (let nowMs = startMs; nowMs < endMs; nowMs += STEP_MS) {
    for (const { name, model } of models) {
      model.advance(nowMs, (stream, event) => {
        events.push({ receivedMs: nowMs, stream, event });
        trades.push(tradeOf(name, event));
      });
    }
  }
  return { events, trades };
}

/** Events as a replay takes them. */
export async function* inTurn(events: readonly RecordedEvent[]): AsyncGenerator<RecordedEvent> {
  yield* events;
}

function tradeOf(market: string, event: string): ReferenceTrade {
  const { t, p, q, T, m } = JSON.parse(event) as { t: number; p: string; q: string; T: number; m: boolean };
  return { market, id: t, price: p, quantity: q, buy: !m, timeMs: T };
}
