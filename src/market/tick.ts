/** The taker's side: a `buy` lifted an ask, a `sell` hit a bid. */
export type Side = "buy" | "sell";

/**
 * One trade of a venue.
 *
 * `price` and `quantity` are doubles that stand for decimals of at most 15 significant digits, which a double
 * carries exactly (IEEE 754: 15 digits survive the round trip), so `String(price)` is the venue's own number.
 */
export interface Tick {
  /** The venue's number of the trade within its market. */
  readonly id: number;
  readonly price: number;
  /** In the base asset. */
  readonly quantity: number;
  readonly side: Side;
  /** When the venue matched the trade, ms since the epoch by the venue's clock. */
  readonly timeMs: number;
  /** When the frame reached us, ms since the epoch by the local clock; for lag only. */
  readonly receivedMs: number;
}

/**
 * Ticks of one market in columns, so that a tick costs no object. Row `i` of every column is one tick.
 * The decimals say how many places the prices and quantities of this run have at most: every price is a whole
 * multiple of `10 ** -priceDecimals`, which is what makes exact sums cheap.
 */
export interface TickColumns {
  readonly length: number;
  readonly priceDecimals: number;
  readonly quantityDecimals: number;
  readonly id: Float64Array;
  readonly price: Float64Array;
  readonly quantity: Float64Array;
  /** 1 for a taker's buy, 0 for a taker's sell. */
  readonly buy: Uint8Array;
  readonly timeMs: Float64Array;
  readonly receivedMs: Float64Array;
}
