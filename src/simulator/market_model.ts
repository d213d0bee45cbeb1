import type { Random } from "./random.ts";

/** What a market looks like. */
export interface MarketShape {
  /** `BTCUSDT`. */
  readonly symbol: string;
  /** Price at the start, in price ticks. */
  readonly startTicks: number;
  /** Decimals of the price tick; one price tick is `10 ** -decimals`. */
  readonly priceDecimals: number;
  /** Decimals of the smallest quantity. */
  readonly quantityDecimals: number;
  /** Mean quantity of a trade, in smallest quantities. */
  readonly meanLots: number;
  /** Mean trades per second over a long time. */
  readonly tradesPerSecond: number;
}

/** Decimals with which Binance writes every price and quantity. */
const WIRE_DECIMALS = 8;
/** Mean number of further orders that one order provokes: bursts die out, but not at once. */
const EXCITATION = 0.6;
const EXCITATION_DECAY_MS = 400;
const SWEEP_SHARE = 0.04;
const MAX_SWEEP = 160;
const MEAN_SWEEP = 12;
const MEAN_ORDER = 1.4;
/** Mean trades of one order, from the lines above. */
const TRADES_PER_ORDER = SWEEP_SHARE * MEAN_SWEEP + (1 - SWEEP_SHARE) * MEAN_ORDER;
/** Scales with which whole numbers from an exponential distribution have the means above. */
const SWEEP_SCALE = 1 / Math.log1p(1 / (MEAN_SWEEP - 1));
const ORDER_SCALE = 1 / Math.log1p(1 / (MEAN_ORDER - 1));

/**
 * Trades of one market: orders come in bursts (each makes others likelier for a moment), most of them are small, and
 * some sweep through many price levels within one millisecond. Ids are consecutive. All follows from the random
 * numbers and the times that are passed in.
 */
export class MarketModel {
  readonly stream: string;
  readonly #shape: MarketShape;
  readonly #random: Random;
  readonly #baseRate: number;
  #excitement = 0;
  #excitedMs: number;
  #nextMs: number;
  #nextId: number;
  #priceTicks: number;

  /** @param firstId id of the first trade */
  constructor(shape: MarketShape, random: Random, start: { timeMs: number; firstId: number }) {
    this.stream = `${shape.symbol.toLowerCase()}@trade`;
    this.#shape = shape;
    this.#random = random;
    this.#baseRate = ((shape.tradesPerSecond / TRADES_PER_ORDER) * (1 - EXCITATION)) / 1_000;
    this.#excitedMs = start.timeMs;
    this.#nextId = start.firstId;
    this.#priceTicks = shape.startTicks;
    this.#nextMs = start.timeMs;
    this.#scheduleNext(start.timeMs);
  }

  /** Makes the trades up to `nowMs`, as the events that Binance would send. */
  advance(nowMs: number, emit: (stream: string, event: string) => void): void {
    while (this.#nextMs <= nowMs) {
      const timeMs = this.#nextMs;
      this.#order(Math.floor(timeMs), Math.floor(nowMs), emit);
      this.#excitement = this.#excitementAt(timeMs) + EXCITATION / EXCITATION_DECAY_MS;
      this.#excitedMs = timeMs;
      this.#scheduleNext(timeMs);
    }
  }

  #excitementAt(timeMs: number): number {
    return this.#excitement * Math.exp((this.#excitedMs - timeMs) / EXCITATION_DECAY_MS);
  }

  /** Draws the time of the next order by thinning: the rate only falls until then. */
  #scheduleNext(fromMs: number): void {
    let timeMs = fromMs;
    for (;;) {
      const highest = this.#baseRate + this.#excitementAt(timeMs);
      timeMs += this.#random.exponential(1 / highest);
      const rate = this.#baseRate + this.#excitementAt(timeMs);
      if (this.#random.uniform() * highest <= rate) break;
    }
    this.#nextMs = timeMs;
  }

  #order(timeMs: number, eventMs: number, emit: (stream: string, event: string) => void): void {
    const random = this.#random;
    const sweeps = random.uniform() < SWEEP_SHARE;
    const trades = 1 + Math.floor(random.exponential(sweeps ? SWEEP_SCALE : ORDER_SCALE));
    const takerBuys = random.uniform() < 0.5;
    for (let i = 0; i < Math.min(trades, MAX_SWEEP); i++) {
      if (i > 0 ? random.uniform() < 0.5 : random.uniform() < 0.3) this.#move(takerBuys);
      const lots = 1 + Math.floor(random.exponential(this.#shape.meanLots));
      emit(this.stream, this.#event(lots, takerBuys, { timeMs, eventMs }));
    }
  }

  #move(up: boolean): void {
    const next = this.#priceTicks + (up ? 1 : -1);
    // Prices stay within a factor of two of the start, so that the model can run for ever.
    if (next > this.#shape.startTicks / 2 && next < this.#shape.startTicks * 2) this.#priceTicks = next;
  }

  #event(lots: number, takerBuys: boolean, { timeMs, eventMs }: { timeMs: number; eventMs: number }): string {
    const { symbol, priceDecimals, quantityDecimals } = this.#shape;
    return (
      `{"e":"trade","E":${eventMs},"s":"${symbol}","t":${this.#nextId++}` +
      `,"p":"${fixed(this.#priceTicks, priceDecimals)}","q":"${fixed(lots, quantityDecimals)}"` +
      `,"T":${timeMs},"m":${!takerBuys},"M":true}`
    );
  }
}

/** Whole units of `10 ** -decimals` with eight decimals. */
function fixed(units: number, decimals: number): string {
  const digits = String(units).padStart(decimals + 1, "0");
  const point = digits.length - decimals;
  return `${digits.slice(0, point)}.${digits.slice(point).padEnd(WIRE_DECIMALS, "0")}`;
}
