import { connect, type NatsConnection } from "nats";
import { parseCandleSubject } from "../../src/bus/subject.ts";
import { decodeCandle } from "../../src/wire/candle_codec.ts";
import type { BenchStage } from "./bench_stage.ts";

/** The id of the first trade of each symbol of the venue. */
const FIRST_ID = 1_000_000;
const WATCHED_MARKETS = 10;
const SAMPLE_MS = 50;

/**
 * How old the newest trade of open candles is as anybody sees them on NATS, from the venue's sending: what a user of
 * the candles means by lag. Candles go out ten times a second, so it is never below 50 ms or so.
 */
export class CandleAge {
  readonly #stage: BenchStage;
  readonly #connection: NatsConnection;
  readonly #timer: NodeJS.Timeout;
  /** The number of the newest trade that was seen in a candle, by market. */
  readonly #newest = new Map<number, number>();
  /** What the venue said: when it had sent how many trades, oldest first. */
  readonly #sent: { readonly nowMs: number; readonly trades: number }[] = [];
  #linesRead = 0;
  #ages: number[] = [];

  private constructor(stage: BenchStage, connection: NatsConnection) {
    this.#stage = stage;
    this.#connection = connection;
    for (let market = 0; market < WATCHED_MARKETS; market++) {
      connection.subscribe(`live.binance.${stage.markets[market]}.1s`, {
        callback: (_error, { subject, data }) => {
          const key = parseCandleSubject(subject);
          const id = Number(decodeCandle(key, data).lastId);
          this.#newest.set(market, (id - FIRST_ID) * stage.markets.length + market);
        },
      });
    }
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  static async watch(stage: BenchStage): Promise<CandleAge> {
    return new CandleAge(stage, await connect({ servers: stage.nats.url }));
  }

  /** Ages since the last call, ms, shortest first. */
  take(): number[] {
    const ages = this.#ages.sort((a, b) => a - b);
    this.#ages = [];
    return ages;
  }

  /** Whether all markets that are watched had a trade in an open candle that was sent at an instant or later, ms. */
  isCurrent(sinceMs: number): boolean {
    this.#readVenue();
    const isSent = (number: number) => (this.#sentMs(number) ?? Number.NEGATIVE_INFINITY) >= sinceMs;
    return this.#newest.size === WATCHED_MARKETS && [...this.#newest.values()].every(isSent);
  }

  /** How many trades the venue has sent. */
  get sent(): number {
    this.#readVenue();
    return this.#sent.at(-1)?.trades ?? 0;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#connection.close();
  }

  #sample(): void {
    this.#readVenue();
    const nowMs = Date.now();
    for (const number of this.#newest.values()) {
      const sentMs = this.#sentMs(number);
      if (sentMs !== undefined) this.#ages.push(Math.max(0, nowMs - sentMs));
    }
  }

  #readVenue(): void {
    const { lines } = this.#stage.venue;
    for (; this.#linesRead < lines.length; this.#linesRead++) {
      const line = lines[this.#linesRead]!;
      if (line.includes('"trades"')) this.#sent.push(JSON.parse(line) as { nowMs: number; trades: number });
    }
  }

  /** When the venue sent a trade, between the two times that it told; undefined if it has not told yet. */
  #sentMs(number: number): number | undefined {
    const after = this.#sent.findLastIndex(({ trades }) => trades <= number) + 1;
    const [earlier, later] = [this.#sent[after - 1], this.#sent[after]];
    if (earlier === undefined || later === undefined) return undefined;
    const share = (number - earlier.trades) / (later.trades - earlier.trades);
    return earlier.nowMs + share * (later.nowMs - earlier.nowMs);
  }
}
