import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { SequenceLedger } from "../../src/bus/sequence_ledger.ts";
import { readStream } from "../../src/bus/stream_reader.ts";
import { tickFilter, tickSubject } from "../../src/bus/subject.ts";
import { TickPublisher } from "../../src/bus/tick_publisher.ts";
import { Tally } from "../../src/observe/tally.ts";
import { busTest, createStreams, decodeNumbered, encodeNumbered, eventually, freeze } from "./harness.ts";

const SUBJECT = tickSubject(0, "sim");
const WINDOW = 2_000;

busTest("tryPublish() stores batches and counts them", async ({ bus, streams, signal }) => {
  await streams.ensure("TICKS");
  const dropped = new Tally();
  const publisher = new TickPublisher(bus, streams, dropped);
  for (let seq = 1; seq <= 500; seq++)
    assert.equal(publisher.tryPublish(SUBJECT, encodeNumbered(1, seq)), true);
  await publisher.settled(signal);
  publisher.close();
  assert.equal(publisher.storedBatches, 500);
  assert.equal(dropped.total, 0);
  assert.equal((await bus.streams.streams.info("TICKS")).state.messages, 500);
});

busTest(
  "tryPublish() refuses and counts what the window has no room for",
  async ({ bus, server, streams, signal }) => {
    await streams.ensure("TICKS");
    const dropped = new Tally();
    const publisher = new TickPublisher(bus, streams, dropped);
    await freeze(server);
    let taken = 0;
    for (let seq = 1; seq <= WINDOW + 100; seq++) {
      if (publisher.tryPublish(SUBJECT, encodeNumbered(1, seq))) taken++;
    }
    assert.equal(taken, WINDOW);
    assert.equal(dropped.get("window_full"), 100);
    assert.equal(publisher.congested, true);
    const room = Promise.all([publisher.waitForRoom(signal), publisher.waitForRoom(signal)]);
    server.kill("SIGCONT");
    await room;
    await publisher.settled(signal);
    publisher.close();
    assert.equal(publisher.storedBatches + dropped.total, WINDOW + 100);
  },
);

busTest(
  "tryPublish() gives up a server that hangs and works again after it",
  async ({ bus, server, streams, signal }) => {
    await streams.ensure("TICKS");
    const dropped = new Tally();
    const publisher = new TickPublisher(bus, streams, dropped);
    await freeze(server);
    assert.equal(publisher.tryPublish(SUBJECT, encodeNumbered(1, 1)), true);
    await eventually("the connection is given up", () => !bus.connected, 10_000);
    assert.equal(publisher.tryPublish(SUBJECT, encodeNumbered(1, 2)), false);
    // Acks that do not come are noticed first; on a busy machine it may be pings that do not come.
    assert.equal(dropped.total, 2);
    assert.equal(bus.events.get("replaced") + bus.events.get("stale"), 1);
    server.kill("SIGCONT");
    await bus.untilConnected(signal);
    publisher.tryPublish(SUBJECT, encodeNumbered(1, 3));
    await eventually("a batch is stored", () => publisher.storedBatches === 1);
    publisher.close();
  },
);

busTest("tryPublish() counts what the stream rejects by the server's code", async ({ bus, streams }) => {
  await bus.streams.streams.add({
    name: "TICKS",
    subjects: ["ticks.>"],
    storage: "memory" as never,
    discard: "new" as never,
    max_msgs: 1,
  });
  const dropped = new Tally();
  const publisher = new TickPublisher(bus, streams, dropped);
  publisher.tryPublish(SUBJECT, encodeNumbered(1, 1));
  publisher.tryPublish(SUBJECT, encodeNumbered(1, 2));
  await eventually("both are settled", () => publisher.outstanding === 0);
  publisher.close();
  assert.deepEqual([...dropped.entries()], [["rejected:10077", 1]]);
  assert.equal(publisher.storedBatches, 1);
});

busTest("tryPublish() counts a batch that is too large for the server", async ({ bus, streams }) => {
  await streams.ensure("TICKS");
  const dropped = new Tally();
  const publisher = new TickPublisher(bus, streams, dropped);
  assert.equal(publisher.tryPublish(SUBJECT, new Uint8Array(2 * 1024 * 1024)), false);
  publisher.close();
  assert.deepEqual([...dropped.entries()], [["too_large", 1]]);
});

busTest("a lost broker and a deleted stream cost only batches that the reader counts", async (t) => {
  const { bus, server, streams, signal } = t;
  await streams.ensure("TICKS");
  const dropped = new Tally();
  const publisher = new TickPublisher(bus, streams, dropped);
  const readerBus = await t.connect();
  const stopReading = new AbortController();
  const counts = { received: 0, missed: 0, last: 0 };
  const restarts = new Tally();
  const reading = (async () => {
    const ledger = new SequenceLedger();
    const messages = readStream(readerBus, createStreams(readerBus), {
      stream: "TICKS",
      filter: tickFilter(0),
      name: "test",
      expiryMs: 10_000,
      restarts,
      signal: AbortSignal.any([signal, stopReading.signal]),
    });
    for await (const { data } of messages) {
      const { epoch, seq } = decodeNumbered(data);
      const news = ledger.observe({ epoch, seq, sentMs: 0, ticks: [] });
      if (news.kind === "duplicate") continue;
      counts.received++;
      counts.last = seq;
      if (news.kind !== "next") counts.missed += news.missed;
    }
  })();

  let seq = 0;
  let publishing = true;
  const publish = () => publisher.tryPublish(SUBJECT, encodeNumbered(1, ++seq));
  const flow = (async () => {
    while (publishing && !signal.aborted) {
      publish();
      await delay(2);
    }
  })();
  const flows = () => {
    const goal = seq + 50;
    return eventually("batches arrive again", () => counts.last >= goal && bus.connected);
  };

  await flows();
  for (let kill = 0; kill < 2; kill++) {
    server.kill("SIGKILL");
    await eventually("the loss is noticed", () => !bus.connected && !readerBus.connected);
    await server.restart();
    await flows();
  }
  await bus.streams.streams.delete("TICKS");
  await eventually("the loss of the stream is noticed", () => dropped.get("no_stream") > 0);
  await flows();
  const consumers = await bus.streams.consumers.list("TICKS").next();
  for (const { name } of consumers) await bus.streams.consumers.delete("TICKS", name);
  await flows();

  publishing = false;
  await flow;
  await publisher.settled(signal);
  // The last one arrives, so that no loss hides behind the end.
  const stored = publisher.storedBatches;
  publish();
  await eventually("the last batch is stored", () => publisher.storedBatches === stored + 1);
  await eventually("the last batch is read", () => counts.last === seq);
  stopReading.abort();
  await reading;
  publisher.close();
  assert.equal(counts.received + counts.missed, seq);
  assert.ok(counts.missed > 0, "the outages cost nothing, so nothing was tested");
  assert.equal(publisher.storedBatches + dropped.total, seq);
  assert.ok(restarts.total >= 4);
});
