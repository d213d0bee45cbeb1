import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { BinanceServer } from "../../src/simulator/binance_server.ts";
import { type RecordedEvent, readRecordings } from "../../src/simulator/recording.ts";
import { type ReplayFaults, replay } from "../../src/simulator/replay.ts";
import { recordings, startPipeline, until } from "./harness.ts";

const frames = recordings("binance-2024-08", /usdt_\d+\.gz$/);
const expectation = recordings("binance-2024-08", /^expected_candles\.json\.gz$/);
const MIDNIGHT_MS = Date.UTC(2024, 7, 9);
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

async function checkReplay(options: Replay): Promise<void> {
  const { speed, faults, fromMs = 0, toMs = Number.POSITIVE_INFINITY } = options;
  const server = await BinanceServer.start();
  const pipeline = await startPipeline({
    MARKETS: "binance:BTC-USDT,binance:ETH-USDT",
    BINANCE_WS_URL: server.url,
    INTERVALS: INTERVALS.join(","),
  });
  try {
    const report = await replay(server, between(readRecordings(frames.paths), fromMs, toMs), {
      speed,
      awaited: ["btcusdt@trade", "ethusdt@trade"],
      signal: new AbortController().signal,
      ...(faults === undefined ? {} : { faults }),
    });
    const { trades } = report;
    await until("all trades are in candles", () => pipeline.status().inCandles >= trades, 60_000);
    await until("all trades are stored", () => pipeline.status().ticksStored >= trades, 60_000);
    await until("all candles are stored", () => pipeline.status().pending === 0, 60_000);
    const compared = await compare(pipeline, options);
    assert.ok(compared > (fromMs === 0 ? 1_000 : 20), `only ${compared} candles were compared`);
    const [{ count } = { count: 0 }] = await pipeline.query('SELECT count("id") FROM ticks.ticks');
    assert.equal(count, trades);
    const status = await pipeline.stop();
    assert.equal(status.inCandles, trades);
    assert.equal(status.lost, 0);
    assert.equal(status.rejected, 0);
    assert.equal(status.duplicates >= report.duplicates, true);
  } finally {
    await server.stop();
  }
}

/** Compares every candle that lies wholly within the replayed time; how many. */
async function compare(
  pipeline: Awaited<ReturnType<typeof startPipeline>>,
  { fromMs, toMs }: Replay,
): Promise<number> {
  const text = gunzipSync(readFileSync(expectation.paths[0]!)).toString();
  const expected = JSON.parse(text) as Record<string, { candles: Record<string, Expected[]> }>;
  let compared = 0;
  for (const interval of INTERVALS) {
    const stored = await pipeline.candles(interval);
    for (const [symbol, market] of [
      ["spot:BTCUSDT", "BTC-USDT"],
      ["spot:ETHUSDT", "ETH-USDT"],
    ] as const) {
      const own = new Map(stored.filter((candle) => candle.market === market).map((c) => [c.openMs, c]));
      // The recording cuts the first and the last candle off, and so does a part of it.
      const inner = expected[symbol]!.candles[interval]!.slice(1, -1).filter(
        ({ t }) => fromMs === undefined || (t > fromMs + 4_000 && t < toMs! - 4_000),
      );
      for (const { t, o, h, l, c, v, qv, n, buyv, first, last } of interval === "1s" || fromMs === undefined
        ? inner
        : []) {
        const candle = own.get(t);
        assert.ok(candle, `${market} ${interval} ${t} is not stored`);
        assert.deepEqual(
          {
            t: candle.openMs,
            ohlc: [candle.open, candle.high, candle.low, candle.close],
            sums: [candle.volume, candle.quote_volume, candle.buy_volume],
            n: candle.trades,
            ids: [candle.first_id, candle.last_id],
            missing: candle.missing,
            complete: candle.complete,
          },
          {
            t,
            ohlc: [o, h, l, c].map(Number),
            sums: [v, qv, buyv].map(Number),
            n,
            ids: [String(first), String(last)],
            missing: 0,
            complete: true,
          },
          `${market} ${interval} ${new Date(t).toISOString()}`,
        );
        compared++;
      }
    }
  }
  return compared;
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
  test(`the pipeline makes exact candles of a recording ${options.name}`, { skip: frames.skip }, () =>
    checkReplay(options),
  );
}
