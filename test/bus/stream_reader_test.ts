import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { type BusMessage, readStream } from "../../src/bus/stream_reader.ts";
import { Tally } from "../../src/observe/tally.ts";
import { type BusTest, busTest, decodeNumbered, encodeNumbered, eventually, freeze } from "./harness.ts";

const SUBJECT = "ticks.0.sim";
/** More than the three heartbeats whose lack ends a reader. */
const LONGER_THAN_SILENCE_MS = 2_500;

interface Reading {
  readonly messages: AsyncGenerator<BusMessage>;
  readonly restarts: Tally;
  readonly stop: AbortController;
}

function read({ bus, streams, signal }: BusTest, expiryMs = 10_000): Reading {
  const stop = new AbortController();
  const restarts = new Tally();
  const messages = readStream(bus, streams, {
    stream: "TICKS",
    filter: "ticks.0.*",
    name: "test",
    expiryMs,
    restarts,
    signal: AbortSignal.any([signal, stop.signal]),
  });
  return { messages, restarts, stop };
}

async function publish({ bus }: BusTest, from: number, to: number): Promise<void> {
  for (let seq = from; seq <= to; seq++) bus.connection.publish(SUBJECT, encodeNumbered(1, seq));
  await bus.connection.flush();
}

async function nextSeq(messages: AsyncGenerator<BusMessage>): Promise<number> {
  const { value, done } = await messages.next();
  assert.ok(!done, "the reader has ended");
  return decodeNumbered(value.data).seq;
}

/** Reads on until a message has the number; a reader that starts anew begins with old ones. */
async function readUntil(messages: AsyncGenerator<BusMessage>, seq: number): Promise<void> {
  while ((await nextSeq(messages)) !== seq);
}

busTest("readStream() gives every message in order, old and new, of its filter alone", async (t) => {
  await t.streams.ensure("TICKS");
  await publish(t, 1, 100);
  t.bus.connection.publish("ticks.1.sim", encodeNumbered(1, 9_999));
  const { messages, restarts } = read(t);
  for (let seq = 1; seq <= 100; seq++) assert.equal(await nextSeq(messages), seq);
  await publish(t, 101, 1_000);
  for (let seq = 101; seq <= 1_000; seq++) assert.equal(await nextSeq(messages), seq);
  await messages.return(undefined);
  assert.equal(restarts.total, 0);
});

busTest("readStream() deletes its consumer when it is left or stopped", async (t) => {
  await t.streams.ensure("TICKS");
  await publish(t, 1, 1);
  const consumers = async () => (await t.bus.streams.streams.info("TICKS")).state.consumer_count;
  const left = read(t);
  await nextSeq(left.messages);
  assert.equal(await consumers(), 1);
  await left.messages.return(undefined);
  assert.equal(await consumers(), 0);
  const stopped = read(t);
  await nextSeq(stopped.messages);
  const waiting = stopped.messages.next();
  stopped.stop.abort();
  assert.equal((await waiting).done, true);
  assert.equal(await consumers(), 0);
});

busTest("readStream() leaves the backlog of a slow caller in the stream and keeps its place", async (t) => {
  await t.streams.ensure("TICKS");
  await publish(t, 1, 500);
  const { messages, restarts } = read(t);
  assert.equal(await nextSeq(messages), 1);
  await delay(LONGER_THAN_SILENCE_MS);
  const [consumer] = await t.bus.streams.consumers.list("TICKS").next();
  assert.ok(
    consumer!.delivered.consumer_seq <= 64,
    `${consumer!.delivered.consumer_seq} messages in advance`,
  );
  for (let seq = 2; seq <= 500; seq++) assert.equal(await nextSeq(messages), seq);
  await messages.return(undefined);
  assert.equal(restarts.total, 0);
});

busTest("readStream() keeps its consumer through a quiet time longer than a request", async (t) => {
  await t.streams.ensure("TICKS");
  const { messages, restarts } = read(t, 2_000);
  const first = nextSeq(messages);
  await delay(6_000);
  await publish(t, 1, 1);
  assert.equal(await first, 1);
  await messages.return(undefined);
  assert.equal(restarts.total, 0);
});

busTest("readStream() makes a deleted consumer anew within a second, and goes on where it was", async (t) => {
  await t.streams.ensure("TICKS");
  await publish(t, 1, 1);
  const { messages, restarts } = read(t);
  assert.equal(await nextSeq(messages), 1);
  const waiting = nextSeq(messages);
  const [consumer] = await t.bus.streams.consumers.list("TICKS").next();
  await t.bus.streams.consumers.delete("TICKS", consumer!.name);
  await eventually("the reader starts anew", () => restarts.get("consumer_gone") === 1, 5_000);
  await publish(t, 2, 2);
  assert.equal(await waiting, 2);
  await messages.return(undefined);
});

busTest("readStream() makes a deleted stream anew and reads it", async (t) => {
  await t.streams.ensure("TICKS");
  await publish(t, 1, 1);
  const { messages, restarts } = read(t);
  assert.equal(await nextSeq(messages), 1);
  const waiting = readUntil(messages, 2);
  await t.bus.streams.streams.delete("TICKS");
  await eventually("the stream is back", () => exists(t), 5_000);
  await publish(t, 2, 2);
  await waiting;
  await messages.return(undefined);
  assert.ok(restarts.total > 0);
});

busTest("readStream() waits for a server that hangs, and for one that is killed", async (t) => {
  await t.streams.ensure("TICKS");
  const { messages, restarts } = read(t);
  await publish(t, 1, 1);
  assert.equal(await nextSeq(messages), 1);
  const waiting = readUntil(messages, 2);
  await freeze(t.server);
  await eventually("the silence is noticed", () => restarts.get("silent") > 0, 10_000);
  t.server.kill("SIGCONT");
  await t.bus.untilConnected(t.signal);
  await publish(t, 2, 2);
  await waiting;
  const afterKill = readUntil(messages, 3);
  t.server.kill("SIGKILL");
  await eventually("the loss is noticed", () => !t.bus.connected);
  await t.server.restart();
  await eventually("the stream is back", () => exists(t));
  await publish(t, 3, 3);
  await afterKill;
  await messages.return(undefined);
});

async function exists({ bus }: BusTest): Promise<boolean> {
  if (!bus.connected) return false;
  return bus.streams.streams.info("TICKS").then(
    () => true,
    () => false,
  );
}
