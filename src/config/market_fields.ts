import type { z } from "zod";
import { INTERVALS, type Interval, isInterval } from "../market/interval.ts";
import { type Market, parseMarket } from "../market/market.ts";
import { createTimeZone } from "../market/time_zone.ts";
import { field, listField, NotAllowedError } from "./not_allowed.ts";

/** Venues that an adapter exists for; `sim` is the simulated one. */
export const VENUES = ["binance", "sim"] as const;
export type Venue = (typeof VENUES)[number];

/** Most markets of one process: 65,535 fit into a batch, and nobody lists more by hand. */
const MAX_MARKETS = 10_000;

const MARKET_SHAPE = `venue:BASE-QUOTE such as binance:BTC-USDT, venue one of ${VENUES.join(" ")}`;

/** Spot markets of known venues, `sim:BTC-USDT,binance:ETH-USDT`. */
export const markets: z.ZodType<readonly Market[], string> = listField(toMarket).refine(
  (list) => list.length <= MAX_MARKETS,
  `names too many markets; allowed: at most ${MAX_MARKETS}`,
);

/** Candle intervals, in the result shortest first. */
export const intervals: z.ZodType<readonly Interval[], string> = listField(toInterval).transform((list) =>
  list.toSorted((a, b) => INTERVALS.indexOf(a) - INTERVALS.indexOf(b)),
);

/** The IANA name of a time zone that the host knows; every name of UTC becomes `UTC`, which costs least. */
export const timeZone: z.ZodType<string, string> = field((text) => {
  try {
    createTimeZone(text);
  } catch {
    throw new NotAllowedError(
      text,
      "is not a time zone of this host",
      "an IANA name such as UTC or Asia/Shanghai",
    );
  }
  const { timeZone: canonical } = new Intl.DateTimeFormat("en-US", { timeZone: text }).resolvedOptions();
  return canonical === "UTC" ? canonical : text;
});

function toMarket(text: string): Market {
  let market: Market;
  try {
    market = parseMarket(text);
  } catch {
    throw new NotAllowedError(text, "is not a market", MARKET_SHAPE);
  }
  if (!(VENUES as readonly string[]).includes(market.venue)) {
    throw new NotAllowedError(text, `names the unknown venue "${market.venue}"`, MARKET_SHAPE);
  }
  if (market.name !== `${market.base}-${market.quote}`) {
    throw new NotAllowedError(text, "is not a spot market", `${MARKET_SHAPE}, without a suffix`);
  }
  return market;
}

function toInterval(text: string): Interval {
  if (!isInterval(text)) throw new NotAllowedError(text, "is not an interval", INTERVALS.join(" "));
  return text;
}
