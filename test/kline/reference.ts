import type { Candle } from "../../src/market/candle.ts";
import type { Interval } from "../../src/market/interval.ts";

/** A trade as an exchange states it, in text. */
export interface ReferenceTrade {
  readonly market: string;
  readonly id: number;
  readonly price: string;
  readonly quantity: string;
  readonly buy: boolean;
  readonly timeMs: number;
}

/** A candle without what depends on the order of arrival. */
export type ReferenceCandle = Omit<Candle, "venue" | "late" | "revision">;

export interface ReferenceOptions {
  readonly intervals: readonly Interval[];
  readonly fill: "flat" | "none";
  /** Candles that end by this are closed, ms. */
  readonly untilMs: number;
  readonly boundaries: (interval: Interval, timeMs: number) => { openMs: number; endMs: number };
}

const SCALE = 20;
const UNIT = 10n ** BigInt(SCALE);

function toBig(text: string): bigint {
  const [whole, fraction = ""] = text.split(".");
  return BigInt(whole + fraction.padEnd(SCALE, "0"));
}

function toText(value: bigint, unit: bigint): string {
  const whole = value / unit;
  const fraction = (value % unit)
    .toString()
    .padStart(unit.toString().length - 1, "0")
    .replace(/0+$/, "");
  return fraction === "" ? whole.toString() : `${whole}.${fraction}`;
}

const plain = (text: string) => toText(toBig(text), UNIT);

/**
 * The candles of a set of trades, as slowly and plainly as they can be computed: every trade and every sum a BigInt,
 * every candle from scratch.
 */
export function referenceCandles(
  trades: readonly ReferenceTrade[],
  { intervals, fill, untilMs, boundaries }: ReferenceOptions,
): Map<string, ReferenceCandle> {
  const candles = new Map<string, ReferenceCandle>();
  for (const market of new Set(trades.map((trade) => trade.market))) {
    const known = new Map<number, ReferenceTrade>();
    for (const trade of trades) {
      if (trade.market === market && !known.has(trade.id)) known.set(trade.id, trade);
    }
    const byId = [...known.values()].sort((a, b) => a.id - b.id);
    const byTime = [...byId].sort((a, b) => a.timeMs - b.timeMs || a.id - b.id);
    const holes = byId.slice(1).flatMap((trade, i) => {
      const before = byId[i]!;
      const times = [before.timeMs, trade.timeMs];
      const count = trade.id - before.id - 1;
      return count === 0 ? [] : [{ count, fromMs: Math.min(...times), toMs: Math.max(...times) }];
    });
    for (const interval of intervals) {
      let price = "";
      let { openMs, endMs } = boundaries(interval, byTime[0]!.timeMs);
      for (; endMs <= untilMs; { openMs, endMs } = boundaries(interval, endMs)) {
        const inside = byTime.filter((trade) => trade.timeMs >= openMs && trade.timeMs < endMs);
        const touching = holes.filter((hole) => hole.fromMs < endMs && hole.toMs >= openMs);
        const missing = touching
          .filter((hole) => hole.fromMs >= openMs && hole.toMs < endMs)
          .reduce((sum, hole) => sum + hole.count, 0);
        const complete = openMs > byId[0]!.timeMs && touching.length === 0;
        const key = { market, interval, openMs, endMs };
        if (inside.length > 0) {
          price = inside.at(-1)!.price;
          candles.set(`${market} ${interval} ${openMs}`, { ...key, ...sumUp(inside), missing, complete });
        } else if (fill === "flat") {
          const at = plain(price);
          candles.set(`${market} ${interval} ${openMs}`, {
            ...key,
            open: at,
            high: at,
            low: at,
            close: at,
            volume: "0",
            quoteVolume: "0",
            buyVolume: "0",
            buyQuoteVolume: "0",
            trades: 0,
            firstId: "",
            lastId: "",
            missing,
            complete,
          });
        }
      }
    }
  }
  return candles;
}

function sumUp(trades: readonly ReferenceTrade[]) {
  const prices = trades.map((trade) => toBig(trade.price));
  const sum = (of: readonly ReferenceTrade[], value: (trade: ReferenceTrade) => bigint) =>
    of.reduce((total, trade) => total + value(trade), 0n);
  const quantity = (trade: ReferenceTrade) => toBig(trade.quantity);
  const quote = (trade: ReferenceTrade) => toBig(trade.price) * toBig(trade.quantity);
  const bought = trades.filter((trade) => trade.buy);
  return {
    open: plain(trades[0]!.price),
    high: toText(
      extreme(prices, (a, b) => a > b),
      UNIT,
    ),
    low: toText(
      extreme(prices, (a, b) => a < b),
      UNIT,
    ),
    close: plain(trades.at(-1)!.price),
    volume: toText(sum(trades, quantity), UNIT),
    quoteVolume: toText(sum(trades, quote), UNIT * UNIT),
    buyVolume: toText(sum(bought, quantity), UNIT),
    buyQuoteVolume: toText(sum(bought, quote), UNIT * UNIT),
    trades: trades.length,
    firstId: String(trades[0]!.id),
    lastId: String(trades.at(-1)!.id),
  };
}

function extreme(values: readonly bigint[], beats: (a: bigint, b: bigint) => boolean): bigint {
  let best = values[0]!;
  for (const value of values) if (beats(value, best)) best = value;
  return best;
}
