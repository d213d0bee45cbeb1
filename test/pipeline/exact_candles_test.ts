import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { BinanceServer } from "../../src/simulator/binance_server.ts";
import { type RecordedEvent, readRecordings } from "../../src/simulator/recording.ts";
import { type ReplayFaults, replay } from "../../src/simulator/replay.ts";
import { type Pipeline, recordings, type StoredCandle, startPipeline, until } from "./harness.ts";

const frames = recordings("binance-2024-08", /usdt_\d+\.gz$/);
const expectation = recordings("binance-2024-08", /^expected_candles\.json\.gz$/);
const MIDNIGHT_MS = Date.UTC(2024, 7, 9);
const MARKETS = { "spot:BTCUSDT": "BTC-USDT", "spot:ETHUSDT": "ETH-USDT" };
const INTERVALS = ["1s", "1m", "5m", "15m", "1h", "1d"];

interface Expected {
  readonly t: number;
  readonly o: string;
  readonly h: string;
  readonly l: string;
  readonly c: string;
  readonly v: string;
  readonly qv: string;
  readonly n: number;
  readonly buyv: string;
  readonly first: number;
  readonly last: number;
}

interface Replay {
  readonly name: string;
  readonly speed: number;
  readonly faults?: ReplayFaults;
  /** Part of the recording to send, by receive time. @default all */
  readonly fromMs?: number;
  readonly toMs?: number;
}

async function* between(events: AsyncIterable<RecordedEvent>, fromMs: number, toMs: number) {
  for await (const event of events) {
    if (event.receivedMs > toMs) return;
    if (event.receivedMs >= fromMs) yield event;
  }
}

async function checkReplay(t: TestContext, options: Replay): Promise<void> {
  const { speed, faults, fromMs = 0, toMs = Number.POSITIVE_INFINITY } = options;
  const server = await BinanceServer.start();
  t.after(() => server.stop());
  const pipeline = await startPipeline(t, {
    MARKETS: "binance:BTC-USDT,binance:ETH-USDT",
    BINANCE_WS_URL: server.url,
    INTERVALS: INTERVALS.join(","),
    // The recording is older than ticks are kept by default.
    TICK_RETENTION: "0",
  });
  const report = await replay(server, between(readRecordings(frames.paths), fromMs, toMs), {
    speed,
    awaited: ["btcusdt@trade", "ethusdt@trade"],
    signal: new AbortController().signal,
    ...(faults === undefined ? {} : { faults }),
  });
  const { trades } = report;
  await until("all trades are in candles", () => pipeline.status().inCandles >= trades, 60_000);
  await until("all trades are stored", () => pipeline.status().ticksStored >= trades, 60_000);
  // The last candle that is whole closes by the clock.
  const expected = expectedCandles(options);
  const lastMs = Math.max(...expected.map(({ openMs }) => openMs));
  const hasLast = async () => (await pipeline.candles("1s")).filter((c) => c.openMs === lastMs).length === 2;
  await until("the last candles are stored", hasLast, 30_000);
  assert.ok(expected.length > (fromMs === 0 ? 1_000 : 40), `only ${expected.length} candles are compared`);
  await compare(pipeline, expected);
  const [{ count } = { count: 0 }] = await pipeline.query('SELECT count("id") FROM ticks.ticks');
  assert.equal(count, trades);
  const status = await pipeline.stop();
  assert.equal(status.inCandles, trades);
  assert.equal(status.lost, 0);
  assert.equal(status.rejected, 0);
  // What follows the start of a new connection comes twice on no other: only copies that were sent are dropped.
  assert.equal(status.duplicates, report.duplicates);
}

/** A candle that lies wholly within the replayed time, as it must be stored. */
interface ExpectedCandle {
  readonly interval: string;
  readonly market: string;
  readonly openMs: number;
  readonly fields: object;
}

function expectedCandles({ fromMs, toMs }: Replay): ExpectedCandle[] {
  const text = gunzipSync(readFileSync(expectation.paths[0]!)).toString();
  const expected = JSON.parse(text) as Record<string, { candles: Record<string, Expected[]> }>;
  const isPart = fromMs !== undefined && toMs !== undefined;
  const intervals = isPart ? ["1s"] : INTERVALS;
  // The recording cuts the first and the last candle off, and so does a part of it; its clock is 1.27 s behind.
  return intervals.flatMap((interval) =>
    Object.entries(MARKETS).flatMap(([symbol, market]) =>
      expected[symbol]!.candles[interval]!.slice(1, -1)
        .filter(({ t }) => !isPart || (t > fromMs + 4_000 && t < toMs - 4_000))
        .map(({ t, o, h, l, c, v, qv, n, buyv, first, last }) => ({
          interval,
          market,
          openMs: t,
          fields: {
            ohlc: [o, h, l, c].map(Number),
            sums: [v, qv, buyv].map(Number),
            n,
            ids: [String(first), String(last)],
            missing: 0,
            complete: true,
          },
        })),
    ),
  );
}

async function compare(pipeline: Pipeline, expected: readonly ExpectedCandle[]): Promise<void> {
  const stored = new Map<string, StoredCandle>();
  for (const interval of INTERVALS) {
    for (const candle of await pipeline.candles(interval)) stored.set(keyOf(candle), candle);
  }
  for (const candle of expected) {
    const own = stored.get(keyOf(candle));
    const name = `${candle.market} ${candle.interval} ${new Date(candle.openMs).toISOString()}`;
    assert.ok(own, `${name} is not stored`);
    const fields = {
      ohlc: [own.open, own.high, own.low, own.close],
      sums: [own.volume, own.quote_volume, own.buy_volume],
      n: own.trades,
      ids: [own.first_id, own.last_id],
      missing: own.missing,
      complete: own.complete,
    };
    assert.deepEqual(fields, candle.fields, name);
  }
}

function keyOf({ market, interval, openMs }: { market: string; interval: string; openMs: number }): string {
  return `${market} ${interval} ${openMs}`;
}

const replays: Replay[] = [
  { name: "as fast as it goes", speed: 0 },
  { name: "at 20 times real time", speed: 20 },
  {
    name: "in real time, across midnight",
    speed: 1,
    fromMs: MIDNIGHT_MS - 20_000,
    toMs: MIDNIGHT_MS + 25_000,
  },
  {
    name: "with duplicates, disorder and disconnects",
    speed: 0,
    faults: { seed: 7, duplicates: 0.05, disorder: 20, disconnectEvery: 40_000 },
  },
];

for (const options of replays) {
  test(`the pipeline makes exact candles of a recording ${options.name}`, { skip: frames.skip }, (t) =>
    checkReplay(t, options),
  );
}
