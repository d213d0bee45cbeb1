import type { Candle } from "../market/candle.ts";
import type { TickBatch } from "../market/tick.ts";
import type { Tally } from "../observe/tally.ts";
import type { Trade } from "./candle_state.ts";
import { type CandleRules, MarketCandles } from "./market_candles.ts";
import type { PublishedBefore } from "./published_before.ts";
import type { Recalls } from "./recalls.ts";
import type { SavedMarket } from "./saved_state.ts";
import { VenueClock } from "./venue_clock.ts";

/** Publishers speak up at least this often, network and event loop delays included, ms. */
const HEARTBEAT_ALLOWANCE_MS = 250;

/** What a batch says beside its ticks. */
export interface BatchNews {
  /** The venue's clock as the publisher knew it, ms; 0 if it did not. */
  readonly venueMs: number;
  /** Names of the markets whose feed is not connected. */
  readonly down: readonly string[];
  /** Whether a market's candles have this batch already, for a while after going on from snapshots. @default none has */
  readonly isKnown?: ((market: string) => boolean) | undefined;
}

/** What an engine knows of a market, to go on from in another life. */
export interface EngineSnapshot {
  /** The latest trade time that the engine had seen, and until when it had heard from publishers, ms. */
  readonly clockMs: number;
  readonly heardMs: number;
  readonly market: SavedMarket;
}

/** How {@link CandleEngine.advance} publishes. */
export interface AdvanceOptions {
  /** Most candles to publish now. */
  readonly limit: number;
  readonly publish: (candle: Candle) => void;
}

/**
 * The candles of all markets of one venue and shard. It does no I/O and reads no clock: local monotonic time comes
 * with each call, in ms.
 */
export class CandleEngine {
  readonly #venue: string;
  readonly #rules: CandleRules;
  readonly #outcomes: Tally;
  readonly #clock = new VenueClock();
  /** Bounded by the markets that the venue lists. */
  readonly #markets = new Map<string, MarketCandles>();
  readonly #trade: Trade = { id: 0, timeMs: 0, price: 0, quantity: 0, buy: false };
  #heardMs = Number.NEGATIVE_INFINITY;
  #nextCloseMs = Number.POSITIVE_INFINITY;

  /** @param outcomes counts every tick by what became of it, see `Outcome`; `resumed` if a snapshot had it */
  constructor(venue: string, rules: CandleRules, outcomes: Tally) {
    this.#venue = venue;
    this.#rules = rules;
    this.#outcomes = outcomes;
  }

  /** Names of all markets. */
  get markets(): Iterable<string> {
    return this.#markets.keys();
  }

  /** Markets of which candles are recalled, and these. */
  *recalls(): Iterable<readonly [market: string, Recalls]> {
    for (const [name, { recalls }] of this.#markets) if (recalls.size > 0) yield [name, recalls];
  }

  /** What another life needs to go on with a market; undefined while there is nothing, or nothing settled. */
  save(name: string): EngineSnapshot | undefined {
    const market = this.#markets.get(name)?.save();
    return market && { clockMs: this.#clock.latestMs, heardMs: this.#heardMs, market };
  }

  /**
   * Goes on with a market from what another life saved by the same rules.
   *
   * @throws {RangeError} if it does not fit the rules
   */
  load(name: string, { clockMs, heardMs, market }: EngineSnapshot, monotonicMs: number): void {
    this.#market(name).load(market);
    this.#clock.observe(clockMs, monotonicMs);
    this.#heardMs = Math.max(this.#heardMs, heardMs);
  }

  /** Learns what another life published of a market after it had saved it. */
  respect(name: string, publishedBefore: PublishedBefore): void {
    this.#market(name).respect(publishedBefore);
  }

  /** Adds the ticks of a batch. */
  apply(batch: TickBatch, { venueMs, down, isKnown }: BatchNews, monotonicMs: number): void {
    const clockMs = this.#clock.at(monotonicMs);
    const markets = batch.markets.map(({ name, priceDecimals, quantityDecimals }) => {
      if (isKnown?.(name)) return undefined;
      const market = this.#market(name);
      market.refine(priceDecimals, quantityDecimals);
      return market;
    });
    let accepted = 0;
    let latestMs = venueMs > 0 ? venueMs : Number.NEGATIVE_INFINITY;
    const trade = this.#trade;
    for (let i = 0; i < batch.length; i++) {
      trade.id = batch.id[i]!;
      trade.timeMs = batch.timeMs[i]!;
      trade.price = batch.price[i]!;
      trade.quantity = batch.quantity[i]!;
      trade.buy = batch.buy[i] === 1;
      if (trade.timeMs > latestMs) latestMs = trade.timeMs;
      const outcome = markets[batch.market[i]!]?.add(trade, clockMs) ?? "resumed";
      if (outcome === "accepted") accepted++;
      else this.#outcomes.add(outcome);
    }
    if (accepted > 0) this.#outcomes.add("accepted", accepted);
    this.#clock.observe(latestMs, monotonicMs);
    for (const name of down) if (!isKnown?.(name)) this.#market(name).doubt(this.#provenMs);
    this.#heardMs = this.#clock.at(monotonicMs);
    this.#nextCloseMs = Number.NEGATIVE_INFINITY;
  }

  /** Takes note that messages were lost: no market is certain until its next trade's id tells, but those that knew. */
  doubt(isKnown?: (market: string) => boolean): void {
    for (const [name, market] of this.#markets) if (!isKnown?.(name)) market.doubt(this.#provenMs);
  }

  /** Venue time until which nothing that the publisher had was lost on the way. */
  get #provenMs(): number {
    return this.#heardMs - this.#rules.closeDelayMs + HEARTBEAT_ALLOWANCE_MS;
  }

  /** Local time until a candle is due to be closed, ms, never negative; Infinity before the first trade. */
  nextCloseInMs(monotonicMs: number): number {
    return Math.max(0, this.#nextCloseMs - this.#clock.at(monotonicMs));
  }

  /**
   * Publishes the closed candles that changed and those that are due to be closed.
   *
   * @returns how many it published; `limit` means that there may be more
   */
  advance(monotonicMs: number, { limit, publish }: AdvanceOptions): number {
    const clockMs = this.#clock.at(monotonicMs);
    if (clockMs < this.#nextCloseMs) return 0;
    let published = 0;
    let nextCloseMs = Number.POSITIVE_INFINITY;
    for (const market of this.#markets.values()) {
      if (market.hasReviews || market.nextCloseMs <= clockMs) {
        published += market.advance(clockMs, this.#provenMs, { limit: limit - published, publish });
        if (published >= limit) return published;
      }
      nextCloseMs = Math.min(nextCloseMs, market.nextCloseMs);
    }
    this.#nextCloseMs = nextCloseMs;
    return published;
  }

  /**
   * Publishes the open candles of markets that traded since the last call, of at most `limit` markets; the others
   * come first the next time.
   */
  publishLive(limit: number, publish: (candle: Candle) => void): void {
    let markets = 0;
    for (const [name, market] of this.#markets) {
      if (!market.publishLive(publish)) continue;
      this.#markets.delete(name);
      this.#markets.set(name, market);
      if (++markets === limit) return;
    }
  }

  #market(name: string): MarketCandles {
    let market = this.#markets.get(name);
    if (market === undefined) {
      market = new MarketCandles(this.#venue, name, this.#rules);
      this.#markets.set(name, market);
    }
    return market;
  }
}
