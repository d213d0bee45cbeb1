import type { Candle } from "../market/candle.ts";
import { formatDecimal } from "../market/decimal.ts";
import type { Interval } from "../market/interval.ts";
import type { CandleState } from "./candle_state.ts";
import type { Verdict } from "./completeness.ts";

/** Which series a candle belongs to. */
export interface Series {
  readonly venue: string;
  readonly market: string;
  readonly interval: Interval;
}

/** The candle of summed trades as it is published. */
export function candleOf(series: Series, state: CandleState, verdict: Verdict): Candle {
  const quoteDecimals = state.priceDecimals + state.quantityDecimals;
  return {
    venue: series.venue,
    market: series.market,
    interval: series.interval,
    openMs: state.openMs,
    endMs: state.endMs,
    open: formatDecimal(state.open),
    high: formatDecimal(state.high),
    low: formatDecimal(state.low),
    close: formatDecimal(state.close),
    volume: state.volume.format(state.quantityDecimals),
    quoteVolume: state.quoteVolume.format(quoteDecimals),
    buyVolume: state.buyVolume.format(state.quantityDecimals),
    buyQuoteVolume: state.buyQuoteVolume.format(quoteDecimals),
    trades: state.trades,
    firstId: String(state.firstId),
    lastId: String(state.lastId),
    missing: verdict.missing,
    late: state.late,
    revision: state.revision,
    complete: verdict.complete,
  };
}

/** What makes a flat candle. */
export interface FlatOptions {
  readonly openMs: number;
  readonly endMs: number;
  /** Close of the candle before. */
  readonly price: number;
  readonly revision: number;
}

/** The candle of an interval without trades: all prices are the close before it, as exchanges do. */
export function flatCandleOf(
  series: Series,
  verdict: Verdict,
  { openMs, endMs, price, revision }: FlatOptions,
): Candle {
  const text = formatDecimal(price);
  return {
    venue: series.venue,
    market: series.market,
    interval: series.interval,
    openMs,
    endMs,
    open: text,
    high: text,
    low: text,
    close: text,
    volume: "0",
    quoteVolume: "0",
    buyVolume: "0",
    buyQuoteVolume: "0",
    trades: 0,
    firstId: "",
    lastId: "",
    missing: verdict.missing,
    late: 0,
    revision,
    complete: verdict.complete,
  };
}
