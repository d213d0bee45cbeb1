import type { BatchMarket, TickBatch } from "./tick.ts";

/**
 * A reusable batch with room for a fixed number of ticks. Nothing is allocated per tick; `clear()` makes it
 * ready for the next batch.
 */
export class TickBuffer implements TickBatch {
  length = 0;
  readonly capacity: number;
  readonly markets: BatchMarket[] = [];
  readonly market: Uint16Array;
  readonly id: Float64Array;
  readonly price: Float64Array;
  readonly quantity: Float64Array;
  readonly buy: Uint8Array;
  readonly timeMs: Float64Array;
  readonly receivedMs: Float64Array;
  readonly #indexes = new Map<string, number>();

  /** @param capacity most ticks that it holds, at most 65,535 */
  constructor(capacity: number) {
    this.capacity = capacity;
    this.market = new Uint16Array(capacity);
    this.id = new Float64Array(capacity);
    this.price = new Float64Array(capacity);
    this.quantity = new Float64Array(capacity);
    this.buy = new Uint8Array(capacity);
    this.timeMs = new Float64Array(capacity);
    this.receivedMs = new Float64Array(capacity);
  }

  get full(): boolean {
    return this.length === this.capacity;
  }

  /**
   * The index that stands for a market in this batch, with its decimals raised to what a further tick needs.
   * A batch never has more markets than ticks, so the index always fits.
   */
  indexOf(name: string, priceDecimals: number, quantityDecimals: number): number {
    const known = this.#indexes.get(name);
    if (known === undefined) {
      this.#indexes.set(name, this.markets.length);
      return this.markets.push({ name, priceDecimals, quantityDecimals }) - 1;
    }
    const market = this.markets[known]!;
    if (priceDecimals > market.priceDecimals) market.priceDecimals = priceDecimals;
    if (quantityDecimals > market.quantityDecimals) market.quantityDecimals = quantityDecimals;
    return known;
  }

  /** Forgets ticks and markets. */
  clear(): void {
    this.length = 0;
    this.markets.length = 0;
    this.#indexes.clear();
  }
}
