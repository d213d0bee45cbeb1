import type { Trade } from "../../src/exchange/exchange.ts";
import type { TickBatch } from "../../src/market/tick.ts";
import { TickBuffer } from "../../src/market/tick_buffer.ts";
import { BENCH_MARKETS } from "./simulated_trades.ts";

/** Trades as the batches that ingest makes of them. */
export function toBatches(trades: readonly Trade[], batchTicks: number): TickBatch[] {
  const batches: TickBuffer[] = [];
  for (const trade of trades) {
    let batch = batches.at(-1);
    if (batch === undefined || batch.full) batches.push((batch = new TickBuffer(batchTicks)));
    const i = batch.length++;
    const { name } = BENCH_MARKETS[trade.market]!;
    batch.market[i] = batch.indexOf(name, trade.priceDecimals, trade.quantityDecimals);
    batch.id[i] = trade.id;
    batch.price[i] = trade.price;
    batch.quantity[i] = trade.quantity;
    batch.buy[i] = trade.buy ? 1 : 0;
    batch.timeMs[i] = trade.timeMs;
    batch.receivedMs[i] = trade.timeMs;
  }
  return batches;
}
