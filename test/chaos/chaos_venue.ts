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

/** Held trades are sent in another order when there are so many. */
const DISORDER = 100;
const HOUR_MS = 3_600_000;

interface Sent {
  readonly stream: string;
  readonly event: string;
}

/** An exchange that trades now, numbers its trades, and remembers all of them. */
export class ChaosVenue {
  /** Every trade that there was, whether anybody heard of it or not. */
  readonly trades: ReferenceTrade[] = [];
  readonly server: BinanceServer;
  readonly #random: Random;
  readonly #tradesPerSecond: number;
  readonly #latest: Sent[] = [];
  /** By market, how many numbers were skipped. */
  readonly #skipped = new Map<string, number>();
  /** Times the usual rate. */
  #haste = 1;
  #held: Sent[] | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(server: BinanceServer, random: Random, tradesPerSecond: number) {
    this.server = server;
    this.#random = random;
    this.#tradesPerSecond = tradesPerSecond;
  }

  static async start(random: Random, tradesPerSecond: number): Promise<ChaosVenue> {
    return new ChaosVenue(await BinanceServer.start(), random, tradesPerSecond);
  }

  /** Whether each market has that many listeners. */
  isFollowedBy(processes: number): boolean {
    const { subscriptions } = this.server;
    const isWhole = (stream: string) => this.server.listenersOf(stream) === processes;
    return subscriptions.length === MARKETS.length && subscriptions.every(isWhole);
  }

  /** By market, the id of its next trade. */
  get nextIds(): ReadonlyMap<string, number> {
    const count = this.trades.length;
    return new Map(
      MARKETS.map(({ name }, i) => [
        name,
        this.#idOf(count + ((MARKETS.length + i - (count % MARKETS.length)) % MARKETS.length)),
      ]),
    );
  }

  open(): void {
    let lookedMs = performance.now();
    let due = 0;
    this.#timer = setInterval(() => {
      const nowMs = performance.now();
      due += ((nowMs - lookedMs) * this.#tradesPerSecond * this.#haste) / 1_000;
      lookedMs = nowMs;
      while (this.trades.length < Math.floor(due)) this.#trade(this.trades.length);
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

  /** Trades as many times as often from now on. */
  hurry(times: number): void {
    this.#haste = times;
  }

  /** Leaves out some numbers of a market. */
  skip(market: number, count: number): void {
    const { name } = MARKETS[market]!;
    this.#skipped.set(name, (this.#skipped.get(name) ?? 0) + count);
  }

  /** Sends trades in another order from now on, a third of a second late at most. */
  disorder(): void {
    this.#held = [];
  }

  order(): void {
    this.#sendHeld();
    this.#held = undefined;
  }

  /** Sends a trade that never was, and cannot have been. */
  lie(market: number): void {
    const { name } = MARKETS[market]!;
    const last = this.trades.findLast((trade) => trade.market === name);
    if (last === undefined) return;
    const { id, timeMs } = last;
    const lies = [
      { id: id + 1, timeMs: timeMs + HOUR_MS },
      { id: id + 20_000, timeMs: timeMs - 3 * HOUR_MS },
      { id: id + 10_000_000, timeMs },
      { id: 1, timeMs },
    ];
    const { stream, event } = this.#eventOf({ ...last, ...lies[this.#random.integer(0, lies.length - 1)] });
    this.server.publish(stream, event);
  }

  async stop(): Promise<void> {
    this.close();
    await this.server.stop();
  }

  #trade(number: number): void {
    const { name } = MARKETS[number % MARKETS.length]!;
    const id = this.#idOf(number);
    const price = (this.#random.integer(PRICE_UNITS.min, PRICE_UNITS.max) / 100).toFixed(2);
    const quantity = (this.#random.integer(QUANTITY_UNITS.min, QUANTITY_UNITS.max) / 10_000).toFixed(4);
    const buy = this.#random.uniform() < 0.5;
    const trade = { market: name, id, price, quantity, buy, timeMs: Date.now() };
    this.trades.push(trade);
    const sent = this.#eventOf(trade);
    this.#latest.push(sent);
    if (this.#latest.length > 1_000) this.#latest.splice(0, 500);
    if (this.#held === undefined) this.server.publish(sent.stream, sent.event);
    else if (this.#held.push(sent) >= DISORDER) this.#sendHeld();
  }

  #sendHeld(): void {
    const held = this.#held?.splice(0) ?? [];
    while (held.length > 0) {
      const [{ stream, event }] = held.splice(this.#random.integer(0, held.length - 1), 1) as [Sent];
      this.server.publish(stream, event);
    }
  }

  #eventOf({ market, id, price, quantity, buy, timeMs }: ReferenceTrade): Sent {
    const symbol = market.replace("-", "");
    const event =
      `{"e":"trade","E":${timeMs},"s":"${symbol}","t":${id},"p":"${price}","q":"${quantity}",` +
      `"T":${timeMs},"m":${!buy},"M":true}`;
    return { stream: `${symbol}@trade`.toLowerCase(), event };
  }

  /** Id of the venue's trade with this number: the markets trade by turns. */
  #idOf(number: number): number {
    const { name } = MARKETS[number % MARKETS.length]!;
    return FIRST_ID + Math.floor(number / MARKETS.length) + (this.#skipped.get(name) ?? 0);
  }
}
