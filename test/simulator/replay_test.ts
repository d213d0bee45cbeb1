import assert from "node:assert/strict";
import { suite, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import { BinanceServer } from "../../src/simulator/binance_server.ts";
import { type RecordedEvent, readRecordings } from "../../src/simulator/recording.ts";
import { type ReplayOptions, replay } from "../../src/simulator/replay.ts";
import { eventually } from "../bus/harness.ts";
import { recordings } from "../pipeline/harness.ts";

const STREAM = "btcusdt@trade";

async function start(context: TestContext): Promise<BinanceServer> {
  const server = await BinanceServer.start();
  context.after(() => server.stop());
  return server;
}

/** A client that comes back whenever it is disconnected; the trade ids that it gets. */
function follow(context: TestContext, server: BinanceServer, stream = STREAM): number[] {
  const ids: number[] = [];
  let socket: WebSocket;
  let stopped = false;
  const connect = () => {
    if (stopped) return;
    socket = new WebSocket(`${server.url}/stream?streams=${stream}`);
    socket.on("message", (data) => ids.push(Number(/"t":(\d+)/.exec(data.toString())?.[1])));
    socket.on("close", () => setTimeout(connect, 5));
    socket.on("error", () => undefined);
  };
  connect();
  context.after(() => {
    stopped = true;
    socket.terminate();
  });
  return ids;
}

async function* trades(count: number, stepMs = 1): AsyncGenerator<RecordedEvent> {
  for (let t = 0; t < count; t++) {
    yield { receivedMs: 1_723_161_600_000 + t * stepMs, stream: STREAM, event: `{"e":"trade","t":${t}}` };
  }
}

function run(server: BinanceServer, events: AsyncIterable<RecordedEvent>, options: Partial<ReplayOptions>) {
  return replay(server, events, { speed: 0, signal: AbortSignal.timeout(60_000), ...options });
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

suite("replay()", () => {
  test("waits for the streams that are awaited, then sends everything in order", async (t) => {
    const server = await start(t);
    const replaying = run(server, trades(20_000), { awaited: [STREAM, "ethusdt@trade"] });
    const ids = follow(t, server);
    await eventually("one has come", () => server.listenersOf(STREAM) === 1);
    await delay(50);
    assert.deepEqual(ids, []);
    const others = follow(t, server, "ethusdt@trade");
    assert.deepEqual(await replaying, { events: 20_000, trades: 20_000, duplicates: 0, disconnects: 0 });
    await eventually("all are there", () => ids.length === 20_000);
    assert.deepEqual(ids, range(20_000));
    assert.deepEqual(others, []);
  });

  test("keeps the recorded pace, times the speed", async (t) => {
    for (const [speed, expectedMs] of [
      [1, 400],
      [10, 40],
    ] as const) {
      const server = await start(t);
      const ids = follow(t, server);
      await eventually("it has come", () => server.listenersOf(STREAM) === 1);
      const startMs = performance.now();
      await run(server, trades(101, 4), { speed });
      const tookMs = performance.now() - startMs;
      assert.ok(tookMs >= expectedMs - 4 && tookMs < expectedMs + 2_000, `speed ${speed}: ${tookMs} ms`);
      await eventually("all are there", () => ids.length === 101);
    }
  });

  test("sends a share of the events twice, and counts them", async (t) => {
    const server = await start(t);
    const ids = follow(t, server);
    const report = await run(server, trades(10_000), { faults: { seed: 3, duplicates: 0.1 } });
    assert.ok(report.duplicates > 800 && report.duplicates < 1_200, `${report.duplicates} duplicates`);
    await eventually("all are there", () => ids.length === 10_000 + report.duplicates);
    assert.deepEqual([...new Set(ids)], range(10_000));
  });

  test("disorders events within its window, as the seed determines", async (t) => {
    const orders: number[][] = [];
    for (const seed of [5, 5, 6]) {
      const server = await start(t);
      const ids = follow(t, server);
      await run(server, trades(5_003), { faults: { seed, disorder: 20 } });
      await eventually("all are there", () => ids.length === 5_003);
      const distances = ids.map((id, place) => Math.abs(id - place));
      assert.ok(Math.max(...distances) < 20 && Math.max(...distances) >= 10);
      assert.deepEqual(
        [...ids].sort((a, b) => a - b),
        range(5_003),
      );
      orders.push(ids);
    }
    assert.deepEqual(orders[0], orders[1]);
    assert.notDeepEqual(orders[0], orders[2]);
  });

  test("disconnects everybody again and again, and nothing is lost by it", async (t) => {
    const server = await start(t);
    const [ids, more] = [follow(t, server), follow(t, server)];
    await eventually("both have come", () => server.listenersOf(STREAM) === 2);
    const report = await run(server, trades(20_000), { faults: { seed: 1, disconnectEvery: 1_000 } });
    assert.equal(report.disconnects, 20);
    // It waits for one client to come back; the other one may miss what that one gets.
    await eventually("one has all", () => new Set([...ids, ...more]).size === 20_000);
  });

  test("loses nothing for a single client that is disconnected", async (t) => {
    const server = await start(t);
    const ids = follow(t, server);
    await run(server, trades(20_000), { faults: { seed: 1, disconnectEvery: 500 } });
    await eventually("all are there", () => ids.length === 20_000);
    assert.deepEqual(ids, range(20_000));
  });

  test("sends no more than clients take", async (t) => {
    const count = 40_000;
    const padding = "x".repeat(1_000);
    const server = await start(t);
    const socket = new WebSocket(`${server.url}/stream?streams=${STREAM}`);
    let received = 0;
    socket.on("message", () => received++);
    await eventually("it has come", () => server.listenersOf(STREAM) === 1);
    socket.pause();
    let sent = 0;
    async function* counted() {
      for await (const { event, ...rest } of trades(count)) {
        sent++;
        yield { ...rest, event: event.replace("trade", padding) };
      }
    }
    const replaying = run(server, counted(), {});
    let before = -1;
    await eventually("it waits", async () => {
      const waits = sent > 1_000 && sent === before;
      before = sent;
      await delay(100);
      return waits;
    });
    assert.ok(sent < count);
    assert.ok(server.bufferedBytes < 2 * 1024 * 1024, `${server.bufferedBytes} bytes are held`);
    socket.resume();
    await replaying;
    await eventually("all are there", () => received === count);
    socket.terminate();
  });

  test("ends when it is told to, whatever it waits for", async (t) => {
    const server = await start(t);
    const early = await run(server, trades(10), { signal: AbortSignal.timeout(50) });
    assert.equal(early.events, 0);
    follow(t, server);
    await eventually("it has come", () => server.listenersOf(STREAM) === 1);
    const startMs = performance.now();
    const slow = await run(server, trades(10, 60_000), { speed: 1, signal: AbortSignal.timeout(100) });
    assert.ok(slow.events <= 2);
    assert.ok(performance.now() - startMs < 5_000);
  });

  const frames = recordings("binance-2024-08", /usdt_\d+\.gz$/);
  test("brings every trade of recorded frames to a client", { skip: frames.skip }, async (t) => {
    const server = await start(t);
    const [bitcoin, ether] = [follow(t, server), follow(t, server, "ethusdt@trade")];
    const awaited = [STREAM, "ethusdt@trade"];
    const faults = { seed: 2, duplicates: 0.01, disconnectEvery: 50_000 };
    const report = await run(server, readRecordings(frames.paths), { awaited, faults });
    assert.equal(report.trades, 34_419);
    const distinct = () => new Set(bitcoin).size + new Set(ether).size;
    await eventually("all are there", () => bitcoin.length + ether.length === 34_419 + report.duplicates);
    assert.equal(distinct(), 34_419);
  });
});
