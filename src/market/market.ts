/** A tradable pair on a venue. `id` (`binance:BTC-USDT`) is what shards and logs are keyed by. */
export interface Market {
  readonly id: string;
  /** Lower-case venue name: a NATS subject token and an InfluxDB tag. */
  readonly venue: string;
  /** `BASE-QUOTE`, upper case: a NATS subject token and an InfluxDB tag. */
  readonly name: string;
  readonly base: string;
  readonly quote: string;
}

const MARKET = /^([a-z][a-z0-9]{0,31}):([A-Z0-9]{1,20})-([A-Z0-9]{1,20})(-[A-Z0-9]{1,20})*$/;

/**
 * Parses `venue:BASE-QUOTE`, with suffixes such as `-PERP` kept in the name.
 *
 * @throws {SyntaxError} if the text has another shape
 * @example
 * ```ts
 * parseMarket("binance:BTC-USDT").name; // "BTC-USDT"
 * ```
 */
export function parseMarket(text: string): Market {
  const match = MARKET.exec(text);
  if (match === null) {
    throw new SyntaxError(
      `Cannot parse market "${text}": expected venue:BASE-QUOTE such as binance:BTC-USDT`,
    );
  }
  const [, venue, base, quote] = match;
  return { id: text, venue: venue!, name: text.slice(venue!.length + 1), base: base!, quote: quote! };
}
