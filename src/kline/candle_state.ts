import { toBigUnits, toUnits } from "../market/decimal.ts";
import { ExactSum } from "./exact_sum.ts";

/** How many decimals the prices and quantities of a market have had at most; they only grow. */
export interface Precision {
  priceDecimals: number;
  quantityDecimals: number;
}

/** One trade as the engine adds it. The engine reuses one object for all trades. */
export interface Trade {
  id: number;
  timeMs: number;
  price: number;
  quantity: number;
  /** Whether the taker bought. */
  buy: boolean;
}

/**
 * The trades of one candle, summed. Open and close are the first and last trade by (trade time, trade id), so the
 * order in which trades are added does not matter. Without trades it only carries what is known to be missing.
 */
export class CandleState {
  /** Start and end of the interval, ms since the epoch; the end is exclusive. */
  readonly openMs: number;
  readonly endMs: number;
  open = 0;
  high = 0;
  low = 0;
  close = 0;
  trades = 0;
  firstId = 0;
  firstMs = 0;
  lastId = 0;
  lastMs = 0;
  volume = new ExactSum();
  buyVolume = new ExactSum();
  quoteVolume = new ExactSum();
  buyQuoteVolume = new ExactSum();
  /** Decimals of the sums' units. */
  priceDecimals: number;
  quantityDecimals: number;

  /** Missing trades of holes that can no longer be filled. */
  lostTrades = 0;
  /** Whether a hole that can no longer be filled reaches into the candle. */
  tainted = false;
  late = 0;
  revision = 0;
  /** Whether the candle, or a flat one in its place, was published as closed, and with which verdict. */
  published = false;
  publishedMissing = 0;
  publishedComplete = false;
  /** Whether trades were added since it was last published. */
  amended = false;

  constructor(openMs: number, endMs: number, precision: Precision) {
    this.openMs = openMs;
    this.endMs = endMs;
    this.priceDecimals = precision.priceDecimals;
    this.quantityDecimals = precision.quantityDecimals;
  }

  /** Adds a trade, whose price and quantity have at most the decimals of `precision`. */
  add(trade: Trade, precision: Precision): void {
    this.#refine(precision);
    const { price, quantity, timeMs, id } = trade;
    if (this.trades === 0) {
      this.#setOpen(price, timeMs, id);
      this.#setClose(price, timeMs, id);
      this.high = price;
      this.low = price;
    } else {
      if (timeMs > this.lastMs || (timeMs === this.lastMs && id > this.lastId)) {
        this.#setClose(price, timeMs, id);
      } else if (timeMs < this.firstMs || (timeMs === this.firstMs && id < this.firstId)) {
        this.#setOpen(price, timeMs, id);
      }
      if (price > this.high) this.high = price;
      else if (price < this.low) this.low = price;
    }
    this.trades++;
    this.#addSums(price, quantity, trade.buy);
  }

  /** Adds all trades of a smaller candle that lies inside this one. */
  merge(child: CandleState, precision: Precision): void {
    if (child.trades === 0) return;
    this.#refine(precision);
    child.#refine(precision);
    if (this.trades === 0 || child.high > this.high) this.high = child.high;
    if (this.trades === 0 || child.low < this.low) this.low = child.low;
    if (this.trades === 0 || isBefore(child.firstMs, child.firstId, this.firstMs, this.firstId)) {
      this.#setOpen(child.open, child.firstMs, child.firstId);
    }
    if (this.trades === 0 || isBefore(this.lastMs, this.lastId, child.lastMs, child.lastId)) {
      this.#setClose(child.close, child.lastMs, child.lastId);
    }
    this.trades += child.trades;
    this.volume.merge(child.volume);
    this.buyVolume.merge(child.buyVolume);
    this.quoteVolume.merge(child.quoteVolume);
    this.buyQuoteVolume.merge(child.buyQuoteVolume);
  }

  #setOpen(price: number, timeMs: number, id: number): void {
    this.open = price;
    this.firstMs = timeMs;
    this.firstId = id;
  }

  #setClose(price: number, timeMs: number, id: number): void {
    this.close = price;
    this.lastMs = timeMs;
    this.lastId = id;
  }

  #addSums(price: number, quantity: number, buy: boolean): void {
    const priceUnits = toUnits(price, this.priceDecimals);
    const quantityUnits = toUnits(quantity, this.quantityDecimals);
    const quoteUnits = priceUnits * quantityUnits;
    if (quoteUnits <= Number.MAX_SAFE_INTEGER) {
      this.volume.add(quantityUnits);
      this.quoteVolume.add(quoteUnits);
      if (buy) {
        this.buyVolume.add(quantityUnits);
        this.buyQuoteVolume.add(quoteUnits);
      }
    } else {
      this.#addBigSums(price, quantity, buy);
    }
  }

  #addBigSums(price: number, quantity: number, buy: boolean): void {
    const quantityUnits = toBigUnits(quantity, this.quantityDecimals);
    const quoteUnits = toBigUnits(price, this.priceDecimals) * quantityUnits;
    this.volume.addBig(quantityUnits);
    this.quoteVolume.addBig(quoteUnits);
    if (buy) {
      this.buyVolume.addBig(quantityUnits);
      this.buyQuoteVolume.addBig(quoteUnits);
    }
  }

  /** Counts the sums in the units of the market's present precision. */
  #refine({ priceDecimals, quantityDecimals }: Precision): void {
    if (this.priceDecimals === priceDecimals && this.quantityDecimals === quantityDecimals) return;
    const finerQuantity = quantityDecimals - this.quantityDecimals;
    const finerQuote = finerQuantity + priceDecimals - this.priceDecimals;
    if (finerQuantity > 0) {
      this.volume.refine(finerQuantity);
      this.buyVolume.refine(finerQuantity);
    }
    if (finerQuote > 0) {
      this.quoteVolume.refine(finerQuote);
      this.buyQuoteVolume.refine(finerQuote);
    }
    this.priceDecimals = priceDecimals;
    this.quantityDecimals = quantityDecimals;
  }
}

function isBefore(timeMs: number, id: number, otherMs: number, otherId: number): boolean {
  return timeMs < otherMs || (timeMs === otherMs && id < otherId);
}
