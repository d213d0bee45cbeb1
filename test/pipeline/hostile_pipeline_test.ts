import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Bus } from "../../src/bus/connection.ts";
import { askServices, findServices } from "../../src/bus/overview.ts";
import { createLog } from "../../src/observe/log.ts";
import { BinanceServer } from "../../src/simulator/binance_server.ts";
import { hostileFrames, tradeFrame } from "../ingest/hostile_frames.ts";
import type { ReferenceTrade } from "../kline/reference.ts";
import { areStored, checkStored, expectedCandles } from "./expected_candles.ts";
import { startPipeline, until } from "./harness.ts";

const SAMPLE = { symbol: "BTCUSDT", id: 3_735_683_259, timeMs: 1_723_161_255_342 };
/** Far enough apart for the trades to span a whole minute. */
const TRADE_GAP_MS = 400;
const DEADLINE_MS = 60_000;

interface Account {
  readonly frames: number;
  readonly accepted: number;
  readonly duplicates: number;
  readonly ignored: number;
  readonly missing: number;
  readonly connections: number;
  readonly rejected: Readonly<Record<string, number>>;
}

/** The account of the ingest actor, as anybody can ask for it. */
async function ingestAccount(t: TestContext, natsUrl: string): Promise<Account> {
  const { signal } = new AbortController();
  const bus = await Bus.open({ servers: [natsUrl], name: "test", log: createLog("silent"), signal });
  t.after(() => bus.close());
  const actors = (await findServices(bus)).filter(({ metadata }) => metadata.venue === "binance");
  const [actor] = await askServices(bus, actors);
  return actor!.status as Account;
}

function tradeOf(frame: string): ReferenceTrade {
  const { data } = JSON.parse(frame) as { data: { t: number; p: string; q: string; T: number; m: boolean } };
  return { market: "BTC-USDT", id: data.t, price: data.p, quantity: data.q, buy: !data.m, timeMs: data.T };
}

test("the pipeline stores every good trade among hostile frames, and accounts for each of those", async (t) => {
  const venue = await BinanceServer.start();
  t.after(() => venue.stop());
  const pipeline = await startPipeline(t, {
    MARKETS: "binance:BTC-USDT",
    BINANCE_WS_URL: venue.url,
    INTERVALS: "1s,1m",
    // The trades are older than the default.
    TICK_RETENTION: "0",
  });
  await until("it has subscribed", () => venue.listenersOf("btcusdt@trade") > 0, DEADLINE_MS);

  const trades: ReferenceTrade[] = [];
  const good = () => {
    const { length } = trades;
    const frame = tradeFrame({
      ...SAMPLE,
      id: SAMPLE.id + length,
      timeMs: SAMPLE.timeMs + length * TRADE_GAP_MS,
    });
    trades.push(tradeOf(frame));
    venue.sendToAll(frame);
  };
  const reasons: Record<string, number> = {};
  good();
  good();
  const hostile = hostileFrames(11, SAMPLE);
  assert.ok(hostile.length >= 300, `${hostile.length} frames`);
  for (const { frame, reason } of hostile) {
    venue.sendToAll(frame);
    good();
    reasons[reason] = (reasons[reason] ?? 0) + 1;
  }

  const expected = expectedCandles(trades);
  await until("all ticks are stored", () => pipeline.status().ticksStored >= trades.length, DEADLINE_MS);
  await until("all candles are stored", () => areStored(pipeline, expected), DEADLINE_MS);
  const account = await ingestAccount(t, pipeline.nats.url);
  assert.deepEqual(account.rejected, reasons);
  assert.equal(account.accepted, trades.length);
  // The one frame more is the acknowledgement.
  const { frames, duplicates, ignored } = account;
  assert.equal(frames, trades.length + hostile.length + duplicates + ignored + 1);
  assert.deepEqual([account.missing, account.connections, duplicates], [0, 1, 0]);

  await checkStored(pipeline, expected);
  const ticks = await pipeline.query('SELECT "id", "price", "quantity", "side" FROM ticks.ticks');
  assert.deepEqual(
    ticks.map(({ time, id, price, quantity, side }) => ({
      id,
      price,
      quantity,
      side,
      timeMs: (time as Date).getTime(),
    })),
    trades.map(({ id, price, quantity, buy, timeMs }) => ({
      id: String(id),
      price: Number(price),
      quantity: Number(quantity),
      side: buy ? "buy" : "sell",
      timeMs,
    })),
  );
  const status = await pipeline.stop();
  assert.deepEqual([status.inCandles, status.lost, status.rejected], [trades.length, 0, hostile.length]);
});
