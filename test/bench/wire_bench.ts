import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Bus } from "../../src/bus/connection.ts";
import { readStream } from "../../src/bus/stream_reader.ts";
import { Streams } from "../../src/bus/streams.ts";
import { tickFilter, tickSubject } from "../../src/bus/subject.ts";
import { TickPublisher } from "../../src/bus/tick_publisher.ts";
import { createLog } from "../../src/observe/log.ts";
import { Tally } from "../../src/observe/tally.ts";
import { startNatsServer } from "../../src/servers/nats_server.ts";
import { TickDecoder } from "../../src/wire/tick_decoder.ts";
import { TickEncoder } from "../../src/wire/tick_encoder.ts";
import { toBatches } from "./batches.ts";
import { describeMachine, formatRate, median, printTable } from "./machine.ts";
import { cpuSeconds } from "./process_usage.ts";
import { readTrades, simulateEvents } from "./simulated_trades.ts";

/**
 * The wire alone, as fast as it goes: one process encodes and publishes with acks, nats-server stores in memory,
 * another process reads by a pull consumer and decodes. Nothing may be lost.
 */

const TICKS = 2_000_000;
const BATCH_SIZES = [8, 64, 512];
const ROUNDS = 3;
const SHARD = 0;
const VENUE = "bench";
const MiB = 2 ** 20;

const log = createLog("warn");
const never = new AbortController().signal;

async function openBus(url: string): Promise<{ bus: Bus; streams: Streams }> {
  const bus = await Bus.open({ servers: [url], name: "wire-bench", log, signal: never });
  const streams = new Streams(bus, {
    ticks: { maxAgeMs: 60_000, maxBytes: 512 * MiB },
    candles: { maxAgeMs: 60_000, maxBytes: MiB },
  });
  return { bus, streams };
}

/** The publishing process. */
async function publish(url: string, batchTicks: number): Promise<void> {
  const { bus, streams } = await openBus(url);
  await streams.ensure("TICKS");
  const dropped = new Tally();
  const publisher = new TickPublisher(bus, streams, dropped);
  const [batch] = toBatches(readTrades(simulateEvents(batchTicks, 1_000)), batchTicks);
  const encoder = new TickEncoder();
  const epoch = Date.now();
  const subject = tickSubject(SHARD, VENUE);
  for (let seq = 1; seq <= TICKS / batchTicks; seq++) {
    if (publisher.congested) await publisher.waitForRoom(never);
    const message = { epoch, seq, sentMs: Date.now(), venueMs: 0, ticks: batch!, down: [] };
    publisher.tryPublish(subject, encoder.encode(message));
    // As ingest does: what a turn of the event loop brings is sent at its end.
    if (seq % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await publisher.settled(never);
  if (dropped.total > 0) throw new Error(`Lost ${dropped.total} batches`);
  publisher.close();
  await bus.close();
  // The reader still looks at what this process has used.
  await once(process, "message");
}

/** One run; the reader is this process. */
async function run(batchTicks: number) {
  const server = await startNatsServer();
  const { bus, streams } = await openBus(server.url);
  await streams.ensure("TICKS");
  const end = new AbortController();
  const messages = readStream(bus, streams, {
    stream: "TICKS",
    filter: tickFilter(SHARD),
    name: "wire-bench",
    expiryMs: 60_000,
    restarts: new Tally(),
    signal: end.signal,
  });
  const child = fork(fileURLToPath(import.meta.url), ["publish", server.url, String(batchTicks)]);
  const ended = once(child, "exit");
  const decoder = new TickDecoder();
  let ticks = 0;
  let bytes = 0;
  let startMs = 0;
  let usedBefore = 0;
  const used = () =>
    cpuSeconds(child.pid!) +
    cpuSeconds(server.pid!) +
    process.cpuUsage().user / 1e6 +
    process.cpuUsage().system / 1e6;
  let seconds = 0;
  let cpu = 0;
  const warm = TICKS / 10;
  for await (const { data } of messages) {
    ticks += decoder.decode(data).ticks.length;
    bytes += data.length;
    if (startMs === 0 && ticks >= warm) {
      startMs = performance.now();
      usedBefore = used();
    }
    if (ticks >= TICKS - batchTicks) {
      seconds = (performance.now() - startMs) / 1_000;
      cpu = used() - usedBefore;
      break;
    }
  }
  end.abort();
  child.send("done");
  const [code] = await ended;
  await bus.close();
  await server.stop();
  if (code !== 0) throw new Error(`Publisher ended with ${code}`);
  return { rate: (TICKS - warm) / seconds, cpuUs: (cpu * 1e6) / (TICKS - warm), bytes: bytes / ticks };
}

const [, , role, url, batchTicks] = process.argv;
if (role === "publish") {
  await publish(url!, Number(batchTicks));
} else {
  const rows: string[][] = [];
  for (const size of BATCH_SIZES) {
    const runs = [];
    for (let round = 0; round < ROUNDS; round++) runs.push(await run(size));
    rows.push([
      String(size),
      formatRate(median(runs.map(({ rate }) => rate))),
      formatRate(Math.max(...runs.map(({ rate }) => rate))),
      median(runs.map(({ cpuUs }) => cpuUs)).toFixed(2),
      runs[0]!.bytes.toFixed(1),
    ]);
  }
  process.stdout.write(
    `Wire: encode, publish, stream, read, decode; ${TICKS} ticks\n${describeMachine()}\n\n`,
  );
  printTable(
    ["ticks a message", "ticks/s, median", "best", "CPU µs a tick, all three", "bytes a tick"],
    rows,
  );
}
