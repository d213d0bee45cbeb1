import type { Candle } from "../market/candle.ts";
import type { TickBatch } from "../market/tick.ts";

/** Most series prefixes that are remembered; the cache starts anew beyond it. */
const MAX_SERIES = 100_000;
/** Ids differ by less than this within a millisecond, so that the ordinal of a trade is unique there. */
const ORDINALS = 1_000_000;
/** What a tag value may be made of, so that it needs no escaping. */
const NAME = /^[A-Za-z0-9._:-]{1,64}$/;

const candlePrefixes = new Map<string, string>();
const tickPrefixes = new Map<string, string>();

/**
 * Line of a candle, time in ms. Decimals travel as the text that they are, so nothing is rounded on the way.
 *
 * @throws {SyntaxError} if venue or market is no name: anybody may publish under any subject
 */
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
 *
 * @throws {SyntaxError} if venue or market is no name
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

function candlePrefix({ venue, market, interval }: Candle): string {
  const key = `${venue}:${market}:${interval}`;
  return (
    candlePrefixes.get(key) ??
    remember(
      candlePrefixes,
      key,
      `candles,interval=${interval},market=${checkName(market)},venue=${checkName(venue)} `,
    )
  );
}

function tickPrefix(venue: string, market: string): string {
  const key = `${venue}:${market}`;
  return (
    tickPrefixes.get(key) ??
    remember(tickPrefixes, key, `ticks,market=${checkName(market)},venue=${checkName(venue)} `)
  );
}

function checkName(name: string): string {
  if (NAME.test(name)) return name;
  throw new SyntaxError(`Cannot write a line of "${name}": it is no name of a venue or market`);
}

function remember(cache: Map<string, string>, key: string, prefix: string): string {
  if (cache.size >= MAX_SERIES) cache.clear();
  cache.set(key, prefix);
  return prefix;
}
