import assert from "node:assert/strict";
import { test } from "node:test";
import { createBinanceExchange } from "../../src/exchange/binance.ts";
import { parseMarket } from "../../src/market/market.ts";
import { MarketModel, type MarketShape } from "../../src/simulator/market_model.ts";
import { Random } from "../../src/simulator/random.ts";

const START_MS = 1_723_161_600_000;
const FIRST_ID = 3_740_000_000;
const shape: MarketShape = {
  symbol: "BTCUSDT",
  startTicks: 6_169_802,
  priceDecimals: 2,
  quantityDecimals: 5,
  meanLots: 500,
  tradesPerSecond: 20,
};

interface Event {
  readonly E: number;
  readonly t: number;
  readonly p: string;
  readonly q: string;
  readonly T: number;
  readonly m: boolean;
}

interface Run {
  readonly seed?: number;
  readonly stepMs?: number;
  readonly forMs: number;
  readonly market?: MarketShape;
}

function run({ seed = 1, stepMs = 5, forMs, market = shape }: Run): string[] {
  const model = new MarketModel(market, new Random(seed), { timeMs: START_MS, firstId: FIRST_ID });
  const events: string[] = [];
  for (let ms = stepMs; ms <= forMs; ms += stepMs) {
    model.advance(START_MS + ms, (stream, event) => {
      assert.equal(stream, "btcusdt@trade");
      events.push(event);
    });
  }
  return events;
}

function parse(events: readonly string[]): Event[] {
  return events.map((event) => JSON.parse(event) as Event);
}

test("MarketModel makes the same market of the same seed, whatever the steps", () => {
  const events = run({ forMs: 60_000 });
  assert.ok(events.length > 500);
  assert.deepEqual(run({ forMs: 60_000 }), events);
  assert.notDeepEqual(run({ seed: 2, forMs: 60_000 }), events);
  const timeless = (texts: readonly string[]) => parse(texts).map(({ E, ...event }) => event);
  assert.deepEqual(timeless(run({ forMs: 60_000, stepMs: 1_000 })), timeless(events));
});

test("MarketModel numbers trades consecutively, in the order of their times", () => {
  const events = parse(run({ forMs: 120_000 }));
  let lastMs = START_MS;
  for (const [index, { t, T, E }] of events.entries()) {
    assert.equal(t, FIRST_ID + index);
    assert.ok(T >= lastMs && Number.isInteger(T));
    // Sent within the step in which it was made.
    assert.ok(E >= T && E <= T + 5, `trade time ${T}, event time ${E}`);
    lastMs = T;
  }
});

test("MarketModel makes events that the exchange's reader takes, with whole price ticks and lots", () => {
  const reader = createBinanceExchange().createReader([parseMarket("binance:BTC-USDT")]);
  for (const decimals of [0, 1, 5, 8]) {
    const market = { ...shape, startTicks: 1_000, priceDecimals: decimals, quantityDecimals: 8 - decimals };
    for (const text of run({ forMs: 30_000, market })) {
      assert.equal(reader.read(text), "trade", reader.message);
      const { p, q } = JSON.parse(text) as Event;
      for (const [value, places] of [
        [p, decimals],
        [q, 8 - decimals],
      ] as const) {
        assert.match(value, new RegExp(`^(0|[1-9]\\d*)\\.\\d{${places}}0{${8 - places}}$`));
        assert.ok(Number(value) > 0);
      }
      const ticks = Number(p) * 10 ** decimals;
      assert.ok(ticks > 500 && ticks < 2_000, p);
    }
  }
});

test("MarketModel trades as often as it is told to, in bursts and sweeps", () => {
  const seconds = 20_000;
  const events = parse(run({ forMs: seconds * 1_000, stepMs: 1_000 }));
  const rate = events.length / seconds;
  assert.ok(Math.abs(rate - shape.tradesPerSecond) < 0.05 * shape.tradesPerSecond, `${rate} trades a second`);
  const perSecond = new Array<number>(seconds).fill(0);
  const perMs = new Map<number, Event[]>();
  for (const event of events) {
    const second = Math.floor((event.T - START_MS) / 1_000);
    perSecond[second] = perSecond[second]! + 1;
    perMs.set(event.T, [...(perMs.get(event.T) ?? []), event]);
  }
  const variance = perSecond.reduce((sum, count) => sum + (count - rate) ** 2, 0) / seconds;
  // 1 for trades that come one by one at random.
  assert.ok(variance / rate > 5, `variance is ${variance / rate} times the mean`);
  const sweep = [...perMs.values()].reduce((best, trades) => (trades.length > best.length ? trades : best));
  assert.ok(sweep.length >= 40 && sweep.length <= 320, `${sweep.length} trades in one ms`);
  assert.ok(new Set(sweep.map(({ p }) => p)).size >= 10, "a sweep takes many price levels");
  const buys = events.filter(({ m }) => !m).length / events.length;
  assert.ok(buys > 0.45 && buys < 0.55, `${buys} of the trades are buys`);
});
