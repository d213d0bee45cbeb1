import assert from "node:assert/strict";
import { type BusMessage, readStream } from "../../src/bus/stream_reader.ts";
import { Tally } from "../../src/observe/tally.ts";
import { type BusTest, busTest, decodeNumbered, encodeNumbered, eventually } from "./harness.ts";

const SUBJECT = "candles.sim.BTC-USDT.1s";

function read({ bus, streams, signal }: BusTest) {
  const restarts = new Tally();
  const messages = readStream(bus, streams, {
    stream: "CANDLES",
    filter: "candles.>",
    name: "test",
    expiryMs: 10_000,
    restarts,
    signal,
  });
  return { messages, restarts };
}

async function publish({ bus }: BusTest, from: number, to: number): Promise<void> {
  const client = bus.connection.jetstream();
  for (let seq = from; seq <= to; seq++) await client.publish(SUBJECT, encodeNumbered(1, seq));
}

async function next(messages: AsyncGenerator<BusMessage>): Promise<number> {
  const { value } = await messages.next();
  return decodeNumbered((value as BusMessage).data).seq;
}

busTest("readStream() goes on where it was, after a lost consumer and a killed server", async (t) => {
  await t.streams.ensure("CANDLES");
  await publish(t, 1, 5);
  const { messages, restarts } = read(t);
  for (let seq = 1; seq <= 5; seq++) assert.equal(await next(messages), seq);
  const sixth = next(messages);
  const [consumer] = await t.bus.streams.consumers.list("CANDLES").next();
  await t.bus.streams.consumers.delete("CANDLES", consumer!.name);
  await eventually("the reader starts anew", () => restarts.total > 0, 5_000);
  await publish(t, 6, 6);
  assert.equal(await sixth, 6);
  const seventh = next(messages);
  t.server.kill("SIGKILL");
  await eventually("the loss is noticed", () => !t.bus.connected);
  await t.server.restart();
  await t.bus.untilConnected(t.signal);
  await publish(t, 7, 7);
  assert.equal(await seventh, 7);
  await messages.return(undefined);
});

busTest("readStream() begins with the oldest message of a stream that was made anew", async (t) => {
  await t.streams.ensure("CANDLES");
  await publish(t, 1, 5);
  const { messages } = read(t);
  for (let seq = 1; seq <= 5; seq++) assert.equal(await next(messages), seq);
  const following = next(messages);
  await t.bus.streams.streams.delete("CANDLES");
  await t.streams.ensure("CANDLES");
  await publish(t, 11, 18);
  assert.equal(await following, 11);
  for (let seq = 12; seq <= 18; seq++) assert.equal(await next(messages), seq);
  await messages.return(undefined);
});
