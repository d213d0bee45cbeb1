import type { Market } from "../market/market.ts";
import { BinanceReader, type BinanceSymbol } from "./binance_reader.ts";
import type { Exchange, FrameReader } from "./exchange.ts";

/** Where Binance spot serves its market streams (developers.binance.com, "WebSocket Streams"). */
export const BINANCE_WS_URL = "wss://stream.binance.com:9443";

/** Same source: 1024 streams a connection, and 5 incoming messages a second, of which pings need some. */
const LIMITS = { streamsPerConnection: 1024, streamsPerRequest: 200, requestIntervalMs: 250 };

export interface BinanceOptions {
  /** The venue's name; a stand-in exchange that speaks as Binance does gets another one. @default "binance" */
  readonly venue?: string;
}

/**
 * Binance spot, live trades.
 *
 * @example
 * ```ts
 * createBinanceExchange().subscribeRequest([parseMarket("binance:BTC-USDT")], 1);
 * // {"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}
 * ```
 */
export function createBinanceExchange({ venue = "binance" }: BinanceOptions = {}): Exchange {
  return {
    venue,
    limits: LIMITS,
    connectUrl: (baseUrl) => new URL("/stream", baseUrl).href,
    subscribeRequest: (markets, requestId) =>
      JSON.stringify({
        method: "SUBSCRIBE",
        params: markets.map((market) => toSymbol(market).stream),
        id: requestId,
      }),
    createReader: (markets): FrameReader => new BinanceReader(markets.map(toSymbol)),
  };
}

function toSymbol(market: Market): BinanceSymbol {
  const symbol = market.name.replaceAll("-", "");
  return { symbol, stream: `${symbol.toLowerCase()}@trade` };
}
