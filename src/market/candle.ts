import type { Interval } from "./interval.ts";

/**
 * A candle (K-line) of one market and interval. Prices, volumes and their sums are exact decimals in plain
 * notation, without trailing zeros.
 */
export interface Candle {
  readonly venue: string;
  readonly market: string;
  readonly interval: Interval;
  /** Start of the interval, ms since the epoch, inclusive. */
  readonly openMs: number;
  /** End of the interval, ms since the epoch, exclusive. */
  readonly endMs: number;
  readonly open: string;
  readonly high: string;
  readonly low: string;
  readonly close: string;
  /** Base quantity of all trades. */
  readonly volume: string;
  /** Sum of price times quantity of all trades, in the quote asset. */
  readonly quoteVolume: string;
  /** Base quantity of the trades whose taker bought. */
  readonly buyVolume: string;
  /** Quote amount of the trades whose taker bought. */
  readonly buyQuoteVolume: string;
  readonly trades: number;
  /** Id of the first and last trade by (trade time, trade id); empty for a flat candle. */
  readonly firstId: string;
  readonly lastId: string;
  /** Trades known to be missing: holes in the venue's numbering that lie wholly inside the interval. */
  readonly missing: number;
  /** Trades that were included after the candle was first closed. */
  readonly late: number;
  /** 0 when first closed, one more each time the closed candle was amended. */
  readonly revision: number;
  /** True only if no trade can be missing. */
  readonly complete: boolean;
}
