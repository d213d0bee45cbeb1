import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { pino } from "pino";
import { createBinanceExchange } from "../../src/exchange/binance.ts";
import { createIngestActor, type FeedLimits, type IngestActor } from "../../src/ingest/ingest.ts";
import type { MessageListener, TickPublisher } from "../../src/ingest/tick_publisher.ts";
import { planLevels } from "../../src/kline/level.ts";
import { VenueCandles } from "../../src/kline/venue_candles.ts";
import { createCalendar } from "../../src/market/calendar.ts";
import type { Candle } from "../../src/market/candle.ts";
import { parseMarket } from "../../src/market/market.ts";
import { Tally } from "../../src/observe/tally.ts";
import { TickDecoder } from "../../src/wire/tick_decoder.ts";
import { CuttableWire } from "../feed/cuttable_wire.ts";
import { StandInExchange, until } from "../feed/stand_in_exchange.ts";
import type { ReferenceTrade } from "../kline/reference.ts";
import { type ExpectedCandles, expectedCandles } from "../pipeline/expected_candles.ts";
import { tradeFrame } from "./hostile_frames.ts";

export const START_MS = Date.UTC(2026, 0, 1, 0, 0, 0, 250);
const CLOSE_DELAY_MS = 500;
const ADVANCE_MS = 10;

export interface FeedStageOptions {
  readonly feed?: FeedLimits;
  /** @default 300,000 */
  readonly latenessMs?: number;
  readonly maxPauseMs?: number;
}

/** Takes messages and makes candles of them, as kline does, while there is room. */
class CandleMaker implements TickPublisher {
  congested = false;
  readonly outcomes = new Tally();
  /** In their latest revision. */
  readonly candles = new Map<string, Candle>();
  readonly #venue: VenueCandles;
  readonly #decoder = new TickDecoder();

  constructor(latenessMs: number) {
    const calendar = createCalendar("UTC");
    const levels = planLevels(["1s", "1m"], calendar);
    const rules = { calendar, levels, closeDelayMs: CLOSE_DELAY_MS, latenessMs, fill: "flat" as const };
    this.#venue = new VenueCandles("binance", rules, this.outcomes);
  }

  tryPublish(_subject: string, data: Uint8Array, listener?: MessageListener): boolean {
    if (this.congested) {
      listener?.onDropped("window_full");
      return false;
    }
    listener?.onStored();
    this.#venue.take(this.#decoder.decode(data), performance.now());
    this.advance();
    return true;
  }

  async waitForRoom(signal: AbortSignal): Promise<void> {
    while (this.congested && !signal.aborted) await new Promise((resolve) => setTimeout(resolve, 2));
  }

  advance(): void {
    this.#venue.engine.advance(performance.now(), {
      limit: 100_000,
      publish: (candle) => this.candles.set(`${candle.market} ${candle.interval} ${candle.openMs}`, candle),
    });
  }
}

/** A venue of which a test decides every frame, ingest and the candles of it: a WebSocket goes in, candles come out. */
export class FeedStage {
  readonly venue: StandInExchange;
  readonly wire: CuttableWire;
  readonly actor: IngestActor;
  readonly maker: CandleMaker;
  /** Trades that arrived, or should have. */
  readonly trades: ReferenceTrade[] = [];
  /** Of the next trade. */
  id = 1_000_000;
  timeMs = START_MS;

  private constructor(parts: Pick<FeedStage, "venue" | "wire" | "actor" | "maker">) {
    ({ venue: this.venue, wire: this.wire, actor: this.actor, maker: this.maker } = parts);
  }

  /** It is there when it follows the venue. */
  static async open(t: TestContext, options: FeedStageOptions = {}): Promise<FeedStage> {
    const venue = await StandInExchange.start();
    const wire = await CuttableWire.start(venue.port);
    const { latenessMs = 300_000, feed, maxPauseMs = 2_000 } = options;
    const maker = new CandleMaker(latenessMs);
    const actor = createIngestActor({
      exchange: createBinanceExchange(),
      url: wire.url,
      markets: [parseMarket("binance:BTC-USDT")],
      shards: 1,
      publisher: maker,
      log: pino({ level: "silent" }),
      latenessMs,
      maxPauseMs,
      feed: { retryMinMs: 5, retryMaxMs: 50, ...feed },
    });
    const stop = new AbortController();
    const running = actor.run({ signal: stop.signal, ready: () => undefined, beat: () => undefined });
    const clock = setInterval(() => maker.advance(), ADVANCE_MS);
    t.after(async () => {
      stop.abort();
      await running;
      clearInterval(clock);
      await wire.stop();
      await venue.stop();
    });
    const stage = new FeedStage({ venue, wire, actor, maker });
    await stage.connected();
    return stage;
  }

  async connected(): Promise<void> {
    await until("the feed is connected", () => this.actor.account().connectedMarkets === 1);
  }

  /** Makes the next trades, a quarter of a second apart, without sending them. */
  make(count: number, stepMs = 250): ReferenceTrade[] {
    return Array.from({ length: count }, () => {
      const trade = tradeOf(tradeFrame({ symbol: "BTCUSDT", id: this.id++, timeMs: this.timeMs }));
      this.timeMs += stepMs;
      return trade;
    });
  }

  send(trades: readonly ReferenceTrade[]): void {
    for (const { id, timeMs } of trades) {
      this.venue.send("btcusdt@trade", tradeFrame({ symbol: "BTCUSDT", id, timeMs }));
    }
  }

  /** Makes and sends the next trades, and waits until they are in candles. */
  async trade(count: number): Promise<void> {
    const trades = this.make(count);
    this.send(trades);
    this.trades.push(...trades);
    await this.taken(this.trades.length);
  }

  /** Waits until so many distinct trades were taken. */
  async taken(count: number): Promise<void> {
    await until(`${count} trades were taken`, () => this.actor.account().accepted === count);
  }

  /** Compares each candle with the one that the trades make which arrived; what is missing must show. */
  async check(expected: ExpectedCandles = expectedCandles(this.trades)): Promise<void> {
    const { candles } = this.maker;
    const rightful = (key: string) => {
      const { venue: _, late: __, revision: ___, ...candle } = candles.get(key) ?? ({} as Candle);
      return candle;
    };
    const isRight = (key: string) => {
      try {
        assert.deepEqual(rightful(key), expected.get(key));
        return true;
      } catch {
        return false;
      }
    };
    assert.ok(expected.size > 0);
    await until("the candles are there", () => [...expected.keys()].every((key) => candles.has(key)));
    await until("they are right", () => [...expected.keys()].every(isRight), 2_000).catch(() => undefined);
    for (const [key, candle] of expected) assert.deepEqual(rightful(key), candle, key);
  }
}

function tradeOf(frame: string): ReferenceTrade {
  const { data } = JSON.parse(frame) as { data: { t: number; p: string; q: string; T: number; m: boolean } };
  return { market: "BTC-USDT", id: data.t, price: data.p, quantity: data.q, buy: !data.m, timeMs: data.T };
}
