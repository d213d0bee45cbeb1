import { TickBuffer } from "../../src/market/tick_buffer.ts";
import type { ReferenceTrade } from "./reference.ts";

/** The batch of a trade, or of none. */
export function batchOf(trade: ReferenceTrade | undefined): TickBuffer {
  const batch = new TickBuffer(1);
  if (trade === undefined) return batch;
  batch.market[0] = batch.indexOf(trade.market, decimalsOf(trade.price), decimalsOf(trade.quantity));
  batch.id[0] = trade.id;
  batch.price[0] = Number(trade.price);
  batch.quantity[0] = Number(trade.quantity);
  batch.buy[0] = trade.buy ? 1 : 0;
  batch.timeMs[0] = trade.timeMs;
  batch.length = 1;
  return batch;
}

/** How many decimals a number needs. */
export function decimalsOf(text: string): number {
  return text.includes(".") ? text.split(".")[1]!.replace(/0+$/, "").length : 0;
}
