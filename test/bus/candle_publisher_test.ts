import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { CandlePublisher } from "../../src/bus/candle_publisher.ts";
import { readStream } from "../../src/bus/stream_reader.ts";
import { Tally } from "../../src/observe/tally.ts";
import {
  type BusTest,
  busTest,
  createStreams,
  decodeNumbered,
  encodeNumbered,
  eventually,
  freeze,
} from "./harness.ts";

const CAPACITY = 8_192;

/** Reads the stream from its beginning until the last number of each series is `last`. */
async function readAll({ connect, signal }: BusTest, last: ReadonlyMap<number, number>) {
  const bus = await connect();
  const arrived = new Map<number, number[]>([...last.keys()].map((series) => [series, []]));
  const stop = new AbortController();
  const messages = readStream(bus, createStreams(bus), {
    stream: "CANDLES",
    filter: "candles.>",
    name: "test",
    expiryMs: 10_000,
    restarts: new Tally(),
    signal: AbortSignal.any([signal, stop.signal]),
  });
  for await (const { data } of messages) {
    const { epoch: series, seq } = decodeNumbered(data);
    arrived.get(series)!.push(seq);
    if ([...last].every(([key, value]) => arrived.get(key)!.includes(value))) break;
  }
  return arrived;
}

function subjectOf(series: number): string {
  return `candles.sim.M${series}.1s`;
}

busTest("publish() loses no candle over three kills of the server and ends with the newest", async (t) => {
  const { bus, server, streams, signal } = t;
  await streams.ensure("CANDLES");
  const publisher = new CandlePublisher(bus, streams);
  const last = new Map([1, 2, 3].map((series) => [series, 0]));
  let publishing = true;
  const flow = (async () => {
    while (publishing && !signal.aborted) {
      for (const [series, seq] of last) {
        publisher.publish(subjectOf(series), encodeNumbered(series, seq + 1));
        last.set(series, seq + 1);
      }
      await delay(2);
    }
  })();
  for (let kill = 1; kill <= 3; kill++) {
    const before = publisher.stored;
    await eventually("candles are stored", () => publisher.stored > before + 30);
    server.kill("SIGKILL");
    await eventually("the loss is noticed", () => bus.events.get("disconnect") === kill);
    await server.restart();
    await bus.untilConnected(signal);
  }
  publishing = false;
  await flow;
  await publisher.flush(signal);
  publisher.close();
  assert.equal(publisher.pending, 0);
  assert.equal(
    publisher.stored,
    [...last.values()].reduce((sum, each) => sum + each),
  );
  for (const [series, seqs] of await readAll(t, last)) {
    const count = last.get(series)!;
    assert.equal(new Set(seqs).size, count, "a candle is missing");
    // Each goes back only to send again: the last arrival of a candle never precedes that of an older one.
    const lastArrival = new Map(seqs.map((seq, index) => [seq, index]));
    for (let seq = 2; seq <= count; seq++) {
      assert.ok(lastArrival.get(seq)! > lastArrival.get(seq - 1)!, "an older candle overtook a newer one");
    }
  }
});

busTest("publish() keeps what it has while the stream is missing", async (t) => {
  const { bus, streams, signal } = t;
  const publisher = new CandlePublisher(bus, streams);
  for (let seq = 1; seq <= 100; seq++) publisher.publish(subjectOf(1), encodeNumbered(1, seq));
  await publisher.flush(signal);
  publisher.close();
  assert.equal(publisher.stored, 100);
  assert.ok(publisher.retried > 0);
  const arrived = await readAll(t, new Map([[1, 100]]));
  assert.deepEqual(
    [...new Set(arrived.get(1))].sort((a, b) => a - b),
    Array.from({ length: 100 }, (_, i) => i + 1),
  );
});

busTest(
  "room() lets every waiting caller go on once the server answers",
  async ({ bus, server, streams, signal }) => {
    await streams.ensure("CANDLES");
    const publisher = new CandlePublisher(bus, streams);
    await freeze(server);
    for (let seq = 1; seq <= CAPACITY; seq++) publisher.publish(subjectOf(1), encodeNumbered(1, seq));
    assert.equal(publisher.capacity, 0);
    assert.throws(() => publisher.publish(subjectOf(1), encodeNumbered(1, 0)), RangeError);
    const waiting = Promise.all([publisher.room(signal), publisher.room(signal), publisher.room(signal)]);
    server.kill("SIGCONT");
    await waiting;
    assert.ok(publisher.capacity >= CAPACITY / 2);
    await publisher.flush(signal);
    publisher.close();
    assert.equal(publisher.stored, CAPACITY);
  },
);

busTest(
  "flush() ends with its signal when the server does not come back",
  async ({ bus, server, streams }) => {
    await streams.ensure("CANDLES");
    const publisher = new CandlePublisher(bus, streams);
    server.kill("SIGKILL");
    await eventually("the loss is noticed", () => !bus.connected);
    publisher.publish(subjectOf(1), encodeNumbered(1, 1));
    await publisher.flush(AbortSignal.timeout(100));
    publisher.close();
    assert.equal(publisher.pending, 1);
  },
);
