import type { Candle } from "../../src/market/candle.ts";
import type { Side } from "../../src/market/tick.ts";
import { TickBuffer } from "../../src/market/tick_buffer.ts";

/** A candle of which no two fields are equal. */
export const candle: Candle = {
  venue: "binance",
  market: "BTC-USDT",
  interval: "1m",
  openMs: 1_723_161_600_000,
  endMs: 1_723_161_660_000,
  open: "61698.02",
  high: "61700",
  low: "61650.5",
  close: "61651",
  volume: "12.34567",
  quoteVolume: "761234.123456789",
  buyVolume: "6.1",
  buyQuoteVolume: "376212.5",
  trades: 812,
  firstId: "3740000000",
  lastId: "3740000811",
  missing: 3,
  late: 1,
  revision: 2,
  complete: true,
};

export interface StoredTick {
  readonly market: string;
  readonly id: number;
  readonly price: number;
  readonly quantity: number;
  readonly side: Side;
  readonly timeMs: number;
}

/** A batch of ticks as a reader gets it. */
export function tickBatch(ticks: readonly StoredTick[]): TickBuffer {
  const batch = new TickBuffer(ticks.length);
  for (const { market, id, price, quantity, side, timeMs } of ticks) {
    const i = batch.length++;
    batch.market[i] = batch.indexOf(market, 8, 8);
    batch.id[i] = id;
    batch.price[i] = price;
    batch.quantity[i] = quantity;
    batch.buy[i] = side === "buy" ? 1 : 0;
    batch.timeMs[i] = timeMs;
    batch.receivedMs[i] = timeMs;
  }
  return batch;
}
