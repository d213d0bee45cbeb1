import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { parseMarket } from "../../src/market/market.ts";
import { startInfluxd } from "../../src/servers/influxd.ts";
import { startNatsServer } from "../../src/servers/nats_server.ts";
import { BinanceServer } from "../../src/simulator/binance_server.ts";
import { replay } from "../../src/simulator/replay.ts";
import { untilBalanced } from "../pipeline/balance.ts";
import {
  areStored,
  type CheckOptions,
  checkStored,
  expectedCandles,
  storedCandles,
} from "../pipeline/expected_candles.ts";
import { createStore, type Store, until } from "../pipeline/harness.ts";
import { Command } from "./command.ts";
import { inTurn, replayedTrades } from "./replayed_trades.ts";

const START_MS = Date.UTC(2024, 7, 9, 12, 0, 20, 500);
const DEADLINE_MS = 60_000;

export interface ReplayStageOptions {
  readonly bases: readonly string[];
  readonly seed: number;
  /** How much of the market's time the trades take, ms. */
  readonly lengthMs: number;
  /** Mean of each market. */
  readonly tradesPerSecond: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Both servers, a venue and the trades that it will send, for commands to be run on. */
export class ReplayStage {
  readonly natsUrl: string;
  readonly venue: BinanceServer;
  readonly store: Store;
  readonly trades: ReturnType<typeof replayedTrades>["trades"];
  readonly #events: ReturnType<typeof replayedTrades>["events"];
  readonly #context: TestContext;
  readonly #env: Readonly<Record<string, string>>;
  readonly #streams: readonly string[];

  private constructor(
    t: TestContext,
    options: ReplayStageOptions,
    { natsUrl, influxUrl, venue }: { natsUrl: string; influxUrl: string; venue: BinanceServer },
  ) {
    const { bases, seed, lengthMs, tradesPerSecond, env } = options;
    const markets = bases.map((base) => parseMarket(`binance:${base}-USDT`));
    const span = { seed, startMs: START_MS, endMs: START_MS + lengthMs, tradesPerSecond };
    const { events, trades } = replayedTrades(markets, span);
    this.#context = t;
    this.natsUrl = natsUrl;
    this.venue = venue;
    this.store = createStore(influxUrl, "market");
    this.trades = trades;
    this.#events = events;
    this.#streams = bases.map((base) => `${base}USDT@trade`.toLowerCase());
    this.#env = {
      NATS_URL: natsUrl,
      INFLUX_URL: influxUrl,
      BINANCE_WS_URL: venue.url,
      MARKETS: markets.map(({ id }) => id).join(),
      INTERVALS: "1s,1m",
      // The trades are older than the default.
      TICK_RETENTION: "0",
      LOG_LEVEL: "warn",
      ...env,
    };
  }

  /** Starts servers and venue; all of it ends with the test. */
  static async start(t: TestContext, options: ReplayStageOptions): Promise<ReplayStage> {
    const nats = await startNatsServer();
    t.after(() => nats.stop());
    const influxd = await startInfluxd();
    t.after(() => influxd.stop());
    const venue = await BinanceServer.start();
    t.after(() => venue.stop());
    return new ReplayStage(t, options, { natsUrl: nats.url, influxUrl: influxd.url, venue });
  }

  run(command: string, env: Readonly<Record<string, string>> = {}): Command {
    return new Command(this.#context, command, { ...this.#env, ...env });
  }

  /** Sends one of some equal parts of the trades, once somebody listens to all markets. */
  async play({
    part = 0,
    of = 1,
    speed = 0,
  }: {
    part?: number;
    of?: number;
    speed?: number;
  } = {}): Promise<void> {
    const size = Math.ceil(this.#events.length / of);
    const events = inTurn(this.#events.slice(part * size, (part + 1) * size));
    const { signal } = new AbortController();
    await replay(this.venue, events, { speed, awaited: this.#streams, signal });
  }

  /** As {@link play}, and waits until some of it is stored. */
  async playAndStore(part: number, of: number): Promise<void> {
    const stored = await this.#storedCount();
    await this.play({ part, of });
    await until("some more is stored", async () => (await this.#storedCount()) > stored, DEADLINE_MS);
  }

  /** The trades that {@link play} sends of a part. */
  tradesOf(part: number, of: number): ReplayStage["trades"] {
    const size = Math.ceil(this.trades.length / of);
    return this.trades.slice(part * size, (part + 1) * size);
  }

  /** Waits until every candle that the trades make, or those of them that came through, is stored as it must be. */
  async untilRight(options: CheckOptions = {}, trades = this.trades): Promise<void> {
    const expected = expectedCandles(trades);
    await until("all candles are stored", () => areStored(this.store, expected), DEADLINE_MS);
    const check = () => checkStored(this.store, expected, options);
    const isRight = () =>
      check().then(
        () => true,
        () => false,
      );
    await until("all candles are right", isRight, DEADLINE_MS).catch(check);
  }

  async untilTicksAreStored(): Promise<void> {
    const ticks = () => this.store.query('SELECT count("id") FROM ticks.ticks');
    const isStored = async () => (await ticks())[0]?.count === this.trades.length;
    await until("all ticks are stored", isStored, DEADLINE_MS);
  }

  /** Stops commands as an operator does: their accounts must balance, and each must end in order. */
  async stop(...commands: readonly Command[]): Promise<void> {
    await untilBalanced(this.natsUrl);
    for (const command of commands) command.send("SIGTERM");
    for (const command of commands) {
      assert.deepEqual(await command.ends(), { code: 0, signal: null }, command.stderr);
      assert.match(command.stdout, /\nunexplained +0\n/);
    }
  }

  async #storedCount(): Promise<number> {
    // Before the workers have made the database, there is nothing to ask.
    return (await storedCandles(this.store).catch(() => new Map())).size;
  }
}
