/** The taker's side: a `buy` lifted an ask, a `sell` hit a bid. */
export type Side = "buy" | "sell";

/**
 * One trade of a venue.
 *
 * `price` and `quantity` are doubles that stand for decimals of at most 15 significant digits. A double carries
 * those exactly (IEEE 754: 15 digits survive the round trip), so `String(price)` is the venue's own number.
 */
export interface Tick {
  /** The venue's number of the trade within its market, a safe integer. */
  readonly id: number;
  readonly price: number;
  /** In the base asset. */
  readonly quantity: number;
  readonly side: Side;
  /** When the venue matched the trade, whole ms since the epoch by the venue's clock. */
  readonly timeMs: number;
  /** When the frame reached us, ms since the epoch by the local clock, with fractions; for lag only. */
  readonly receivedMs: number;
}

/**
 * A market as one batch refers to it. The decimals say how many places its prices and quantities have at most
 * within the batch: every price is a whole multiple of `10 ** -priceDecimals`. That is what makes exact sums cheap.
 */
export interface BatchMarket {
  readonly name: string;
  priceDecimals: number;
  quantityDecimals: number;
}

/**
 * Ticks of one venue and shard in columns, so that a tick costs no object: row `i` of every column is one tick.
 * Columns may be longer than `length`; rows from `length` on mean nothing.
 */
export interface TickBatch {
  length: number;
  readonly markets: readonly BatchMarket[];
  /** Index into `markets`. */
  readonly market: Uint16Array;
  readonly id: Float64Array;
  readonly price: Float64Array;
  readonly quantity: Float64Array;
  /** 1 where the taker bought, 0 where the taker sold. */
  readonly buy: Uint8Array;
  readonly timeMs: Float64Array;
  readonly receivedMs: Float64Array;
}
