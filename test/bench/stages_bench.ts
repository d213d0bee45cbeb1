import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";
import { createBinanceExchange } from "../../src/exchange/binance.ts";
import { TradeGate } from "../../src/ingest/trade_gate.ts";
import { CandleEngine } from "../../src/kline/candle_engine.ts";
import { planLevels } from "../../src/kline/level.ts";
import { createCalendar } from "../../src/market/calendar.ts";
import type { Interval } from "../../src/market/interval.ts";
import { createLog } from "../../src/observe/log.ts";
import { Tally } from "../../src/observe/tally.ts";
import { startInfluxd } from "../../src/servers/influxd.ts";
import { InfluxLane } from "../../src/store/influx_lane.ts";
import { tickLine } from "../../src/store/line_protocol.ts";
import { provision, TICK_POLICY } from "../../src/store/provision.ts";
import { TickDecoder } from "../../src/wire/tick_decoder.ts";
import { TickEncoder } from "../../src/wire/tick_encoder.ts";
import { toBatches } from "./batches.ts";
import { describeMachine, median, printTable } from "./machine.ts";
import { BenchProcess, TYPESCRIPT } from "./pipeline_processes.ts";
import { BENCH_MARKETS, readTrades, simulateEvents } from "./simulated_trades.ts";

/** CPU time of this process per tick, stage by stage, each alone; what servers use is in the pipeline's benchmark. */

const TICKS = 200_000;
const ROUNDS = 5;
const BATCH_TICKS = 64;
const FRAMES_PER_SECOND = 80_000;
const STEADY_VENUE = fileURLToPath(new URL("steady_venue.ts", import.meta.url));
const INTERVALS: readonly Interval[] = ["1s", "1m", "5m", "15m", "1h", "4h", "1d"];

const events = simulateEvents(TICKS, 1_000);
const trades = readTrades(events);
const batches = toBatches(trades, BATCH_TICKS);
const frames = events.map(({ stream, event }) => `{"stream":"${stream}","data":${event}}`);

/** CPU µs a tick; the median of some rounds after one to warm up. */
async function measure(stage: () => void | Promise<void>): Promise<number> {
  const figures: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const before = process.cpuUsage();
    await stage();
    const { user, system } = process.cpuUsage(before);
    if (round > 0) figures.push((user + system) / TICKS);
  }
  return median(figures);
}

function parse(): void {
  const reader = createBinanceExchange().createReader(BENCH_MARKETS);
  for (const frame of frames) if (reader.read(frame) !== "trade") throw new Error(reader.message);
}

function admit(): void {
  const gate = new TradeGate({
    markets: BENCH_MARKETS.length,
    latenessMs: 300_000,
    accept: () => undefined,
    reject: (_reason, message) => {
      throw new Error(message);
    },
  });
  for (const trade of trades) gate.offer(trade);
}

const encoder = new TickEncoder();
const messages: Uint8Array[] = [];

function encode(): void {
  messages.length = 0;
  for (const [index, ticks] of batches.entries()) {
    messages.push(encoder.encode({ epoch: 1, seq: index + 1, sentMs: 0, venueMs: 0, ticks, down: [] }));
  }
}

function decode(): void {
  const decoder = new TickDecoder();
  for (const message of messages) decoder.decode(message);
}

function makeCandles(): void {
  const calendar = createCalendar("UTC");
  const rules = { calendar, levels: planLevels(INTERVALS, calendar), closeDelayMs: 500, latenessMs: 300_000 };
  const engine = new CandleEngine("binance", { ...rules, fill: "flat" }, new Tally());
  for (const batch of batches) {
    engine.apply(batch, { venueMs: 0, down: [] }, 0);
    engine.advance(0, { limit: Number.MAX_SAFE_INTEGER, publish: () => undefined });
  }
}

/** Frames of a venue in another process, received by a client that looks at none of them. */
async function receive(): Promise<number> {
  const symbols = BENCH_MARKETS.map(({ name }) => name.replace("-", ""));
  const venue = new BenchProcess([...TYPESCRIPT, STEADY_VENUE, symbols.join(","), String(FRAMES_PER_SECOND)]);
  const [, url] = await venue.line(/"url":"([^"]+)"/);
  const socket = new WebSocket(
    `${url}/stream?streams=${symbols.map((name) => `${name.toLowerCase()}@trade`).join("/")}`,
    {
      perMessageDeflate: false,
      skipUTF8Validation: true,
    },
  );
  let frames = 0;
  socket.on("message", () => void frames++);
  await once(socket, "open");
  await delay(1_000);
  const before = process.cpuUsage();
  const framesBefore = frames;
  await delay(3_000);
  const { user, system } = process.cpuUsage(before);
  const received = frames - framesBefore;
  socket.close();
  venue.endInput();
  await venue.stop();
  return (user + system) / received;
}

const influxd = await startInfluxd();
const target = { url: influxd.url, database: "bench" };
const log = createLog("warn");
const { signal } = new AbortController();
await provision(target, { candlesMs: 0, ticksMs: 0 }, { log, signal });
const lane = new InfluxLane({
  name: "ticks",
  target,
  retentionPolicy: TICK_POLICY,
  precision: "ns",
  flushMs: 500,
  inFlight: 2,
  maxLines: 50_000,
  log,
});

async function store(): Promise<void> {
  for (const batch of batches) {
    for (let i = 0; i < batch.length; i++) lane.append(tickLine("binance", batch, i));
    await lane.room(signal);
  }
  await lane.flush(signal);
}

process.stdout.write(
  `Stages: ${TICKS} ticks of ${BENCH_MARKETS.length} markets, ${BATCH_TICKS} a message\n${describeMachine()}\n\n`,
);
const rows = [
  ["WebSocket (`ws`, one frame a trade)", await receive()],
  ["parse and validate (JSON, zod, exact decimals)", await measure(parse)],
  ["admit (duplicates, gaps, plausible time and id)", await measure(admit)],
  ["encode", await measure(encode)],
  ["decode and validate", await measure(decode)],
  ["engine, seven intervals", await measure(makeCandles)],
  ["store ticks (lines, HTTP)", await measure(store)],
] as const;
printTable(
  ["stage", "CPU µs a tick"],
  rows.map(([stage, us]) => [stage, us.toFixed(2)]),
);
await lane.close();
await influxd.stop();
