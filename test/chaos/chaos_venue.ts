import { parseMarket } from "../../src/market/market.ts";
import { BinanceServer } from "../../src/simulator/binance_server.ts";
import type { Random } from "../../src/simulator/random.ts";
import type { ReferenceTrade } from "../kline/reference.ts";

export const MARKETS = ["BTC", "ETH", "SOL", "XRP", "ADA", "DOT", "LTC", "BNB"].map((base) =>
  parseMarket(`binance:${base}-USDT`),
);

const STEP_MS = 5;
const FIRST_ID = 1_000_000;
/** Prices and quantities are drawn anew for each trade, so that any candle with another set of trades differs. */
const PRICE_UNITS = { min: 1_000_000, max: 1_010_000 };
const QUANTITY_UNITS = { min: 1, max: 999_999 };

interface Sent {
  readonly stream: string;
  readonly event: string;
}

/** An exchange that trades now at a steady rate, numbers its trades without a gap, and remembers all of them. */
export class ChaosVenue {
  /** Every trade that there was, whether anybody heard of it or not. */
  readonly trades: ReferenceTrade[] = [];
  readonly server: BinanceServer;
  readonly #random: Random;
  readonly #tradesPerSecond: number;
  readonly #latest: Sent[] = [];
  #timer: NodeJS.Timeout | undefined;

  private constructor(server: BinanceServer, random: Random, tradesPerSecond: number) {
    this.server = server;
    this.#random = random;
    this.#tradesPerSecond = tradesPerSecond;
  }

  static async start(random: Random, tradesPerSecond: number): Promise<ChaosVenue> {
    return new ChaosVenue(await BinanceServer.start(), random, tradesPerSecond);
  }

  /** Whether somebody listens to every market. */
  get isFollowed(): boolean {
    return this.server.subscriptions.length === MARKETS.length;
  }

  /** By market, the id of its next trade. */
  get nextIds(): ReadonlyMap<string, number> {
    const count = this.trades.length;
    return new Map(
      MARKETS.map(({ name }, i) => [
        name,
        idOf(count + ((MARKETS.length + i - (count % MARKETS.length)) % MARKETS.length)),
      ]),
    );
  }

  open(): void {
    const startMs = performance.now();
    let sent = 0;
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startMs) * this.#tradesPerSecond) / 1_000);
      for (; sent < due; sent++) this.#trade(sent);
    }, STEP_MS);
  }

  /** Trades no more; connections live on. */
  close(): void {
    clearInterval(this.#timer);
  }

  /** Sends the latest trades a second time, in any order. */
  repeat(count: number): void {
    for (let i = 0; i < count && this.#latest.length > 0; i++) {
      const { stream, event } = this.#latest[this.#random.integer(0, this.#latest.length - 1)]!;
      this.server.publish(stream, event);
    }
  }

  async stop(): Promise<void> {
    this.close();
    await this.server.stop();
  }

  #trade(number: number): void {
    const { name, base, quote } = MARKETS[number % MARKETS.length]!;
    const id = idOf(number);
    const price = (this.#random.integer(PRICE_UNITS.min, PRICE_UNITS.max) / 100).toFixed(2);
    const quantity = (this.#random.integer(QUANTITY_UNITS.min, QUANTITY_UNITS.max) / 10_000).toFixed(4);
    const buy = this.#random.uniform() < 0.5;
    const timeMs = Date.now();
    this.trades.push({ market: name, id, price, quantity, buy, timeMs });
    const stream = `${base}${quote}@trade`.toLowerCase();
    const event =
      `{"e":"trade","E":${timeMs},"s":"${base}${quote}","t":${id},"p":"${price}","q":"${quantity}",` +
      `"T":${timeMs},"m":${!buy},"M":true}`;
    this.server.publish(stream, event);
    this.#latest.push({ stream, event });
    if (this.#latest.length > 1_000) this.#latest.splice(0, 500);
  }
}

/** Id of the venue's trade with this number: the markets trade by turns. */
function idOf(number: number): number {
  return FIRST_ID + Math.floor(number / MARKETS.length);
}
