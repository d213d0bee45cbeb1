import type { Market } from "../market/market.ts";
import { BinanceServer, type BinanceServerOptions } from "./binance_server.ts";
import { MarketModel, type MarketShape } from "./market_model.ts";
import { Random } from "./random.ts";

const STEP_MS = 5;
/** A client that lets this much wait for it is disconnected, as an exchange would. */
const MAX_BUFFERED_BYTES = 64 * 1024 * 1024;
/** Ids grow faster than any market trades, so a later start continues with higher ones. */
const IDS_PER_MS = 1_000;

export interface SimulatedVenueOptions {
  readonly markets: readonly Market[];
  /** The same seed makes the same market. */
  readonly seed: number;
  /** Mean trades per second of all markets together. */
  readonly ticksPerSecond: number;
  readonly server?: BinanceServerOptions;
}

/** A running stand-in exchange. */
export interface SimulatedVenue {
  readonly server: BinanceServer;
  /** Trades sent so far. */
  readonly trades: number;
  stop(): Promise<void>;
}

/** How busy markets are beside each other, busiest first; the last share is that of all further ones. */
const SHARES = [40, 24, 12, 8, 5, 4, 3, 2, 1, 0.5, 0.05, 0.02];

/** Starts an exchange with a seeded market model behind Binance's protocol. */
export async function startSimulatedVenue(options: SimulatedVenueOptions): Promise<SimulatedVenue> {
  const server = await BinanceServer.start(options.server);
  const startMs = Date.now();
  const startedMs = performance.now();
  const models = createModels(options, startMs);
  let trades = 0;
  const emit = (stream: string, event: string) => {
    if (server.publish(stream, event)) trades++;
  };
  const timer = setInterval(() => {
    const nowMs = startMs + (performance.now() - startedMs);
    for (const model of models) model.advance(nowMs, emit);
    if (server.bufferedBytes > MAX_BUFFERED_BYTES) server.terminateAll();
  }, STEP_MS);
  return {
    server,
    get trades() {
      return trades;
    },
    async stop() {
      clearInterval(timer);
      await server.stop();
    },
  };
}

function createModels({ markets, seed, ticksPerSecond }: SimulatedVenueOptions, startMs: number) {
  const shares = markets.map((_, index) => SHARES[Math.min(index, SHARES.length - 1)]!);
  const sum = shares.reduce((total, share) => total + share, 0);
  const firstId = startMs * IDS_PER_MS;
  return markets.map((market, index) => {
    const random = new Random(seed * 1_000 + index);
    const shape = shapeOf(market, random, (ticksPerSecond * shares[index]!) / sum);
    return new MarketModel(shape, random, { timeMs: startMs, firstId });
  });
}

function shapeOf({ base, quote }: Market, random: Random, tradesPerSecond: number): MarketShape {
  const priceDecimals = random.integer(1, 5);
  return {
    symbol: `${base}${quote}`,
    startTicks: random.integer(20_000, 8_000_000),
    priceDecimals,
    quantityDecimals: priceDecimals > 3 ? random.integer(0, 2) : random.integer(3, 5),
    meanLots: random.integer(50, 5_000),
    tradesPerSecond,
  };
}
