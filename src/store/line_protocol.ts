import type { Candle } from "../market/candle.ts";
import type { TickBatch } from "../market/tick.ts";

/** Most series prefixes that are remembered; the cache starts anew beyond it. */
const MAX_SERIES = 100_000;
/** Ids differ by less than this within a millisecond, so that the ordinal of a trade is unique there. */
const ORDINALS = 1_000_000;

const candlePrefixes = new Map<string, string>();
const tickPrefixes = new Map<string, string>();

/** Line of a candle, time in ms. Decimals travel as the text that they are, so nothing is rounded on the way. */
export function candleLine(candle: Candle): string {
  return (
    `${candlePrefix(candle)}open=${candle.open},high=${candle.high},low=${candle.low},close=${candle.close}` +
    `,volume=${candle.volume},quote_volume=${candle.quoteVolume}` +
    `,buy_volume=${candle.buyVolume},buy_quote_volume=${candle.buyQuoteVolume}` +
    `,trades=${candle.trades}i,missing=${candle.missing}i,late=${candle.late}i,revision=${candle.revision}i` +
    `,first_id="${candle.firstId}",last_id="${candle.lastId}",complete=${candle.complete} ${candle.openMs}`
  );
}

/**
 * Line of one tick of a batch, time in ns: the trade time plus the last six digits of the trade id. So two trades
 * never share a point, and the same trade always has the same one.
 */
export function tickLine(venue: string, batch: TickBatch, index: number): string {
  const id = batch.id[index]!;
  const ordinal = String(id % ORDINALS).padStart(6, "0");
  return (
    `${tickPrefix(venue, batch.markets[batch.market[index]!]!.name)}` +
    `price=${batch.price[index]},quantity=${batch.quantity[index]}` +
    `,side="${batch.buy[index] === 1 ? "buy" : "sell"}",id="${id}" ${batch.timeMs[index]}${ordinal}`
  );
}

/** `venue` and `market` were checked where they entered and need no escaping. */
function candlePrefix({ venue, market, interval }: Candle): string {
  const key = `${venue}:${market}:${interval}`;
  return remember(candlePrefixes, key, `candles,interval=${interval},market=${market},venue=${venue} `);
}

function tickPrefix(venue: string, market: string): string {
  return remember(tickPrefixes, `${venue}:${market}`, `ticks,market=${market},venue=${venue} `);
}

function remember(cache: Map<string, string>, key: string, prefix: string): string {
  const known = cache.get(key);
  if (known !== undefined) return known;
  if (cache.size >= MAX_SERIES) cache.clear();
  cache.set(key, prefix);
  return prefix;
}
