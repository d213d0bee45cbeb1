import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { pino } from "pino";
import { createBinanceExchange } from "../../src/exchange/binance.ts";
import { createIngestActor, type IngestActor, type IngestOptions } from "../../src/ingest/ingest.ts";
import type { MessageListener, TickPublisher } from "../../src/ingest/tick_publisher.ts";
import { parseMarket } from "../../src/market/market.ts";
import { shardOf } from "../../src/market/shard.ts";
import { startOfEpochMs } from "../../src/wire/epoch.ts";
import { TickDecoder } from "../../src/wire/tick_decoder.ts";
import { StandInExchange, until } from "../feed/stand_in_exchange.ts";
import { hostileFrames, tradeFrame } from "./hostile_frames.ts";

const SHARDS = 4;
const START_MS = 1_723_161_255_342;

interface Recorded {
  readonly subject: string;
  readonly epoch: number;
  readonly seq: number;
  readonly venueMs: number;
  readonly down: readonly string[];
  readonly ticksBefore: number | undefined;
  readonly ticks: readonly { readonly market: string; readonly id: number; readonly timeMs: number }[];
}

/** Takes what is published, and has as much room as the test says. */
class Recorder implements TickPublisher {
  readonly messages: Recorded[] = [];
  isFull = false;
  congested = false;
  /** Messages with ticks that were not taken. */
  refused = 0;
  readonly #decoder = new TickDecoder();

  tryPublish(subject: string, data: Uint8Array, listener?: MessageListener): boolean {
    if (this.isFull) {
      if (listener !== undefined) this.refused++;
      listener?.onDropped("window_full");
      return false;
    }
    const { epoch, seq, venueMs, down, ticks, ticksBefore } = this.#decoder.decode(data);
    const rows = Array.from({ length: ticks.length }, (_, i) => ({
      market: ticks.markets[ticks.market[i]!]!.name,
      id: ticks.id[i]!,
      timeMs: ticks.timeMs[i]!,
    }));
    this.messages.push({ subject, epoch, seq, venueMs, down: [...down], ticks: rows, ticksBefore });
    listener?.onStored();
    return true;
  }

  async waitForRoom(signal: AbortSignal): Promise<void> {
    while (this.congested && !signal.aborted) await new Promise((resolve) => setTimeout(resolve, 2));
  }

  get ids(): number[] {
    return this.messages.flatMap(({ ticks }) => ticks.map(({ id }) => id));
  }

  of(subject: string): Recorded[] {
    return this.messages.filter((message) => message.subject === subject);
  }
}

interface Fixture {
  readonly venue: StandInExchange;
  readonly actor: IngestActor;
  readonly recorder: Recorder;
  trade(id: number, timeMs?: number, symbol?: string): void;
  stop(): Promise<void>;
}

interface FixtureOptions extends Partial<Omit<IngestOptions, "markets">> {
  readonly names?: readonly string[];
}

async function start(
  t: TestContext,
  { names = ["BTC-USDT"], ...options }: FixtureOptions = {},
): Promise<Fixture> {
  const venue = await StandInExchange.start();
  const recorder = new Recorder();
  const actor = createIngestActor({
    exchange: createBinanceExchange(),
    url: venue.url,
    markets: names.map((name) => parseMarket(`binance:${name}`)),
    shards: SHARDS,
    publisher: recorder,
    log: pino({ level: "silent" }),
    latenessMs: 300_000,
    ...options,
    feed: { retryMinMs: 5, retryMaxMs: 50, ...options.feed },
  });
  const stopping = new AbortController();
  const running = actor.run({ signal: stopping.signal, ready: () => {}, beat: () => {} });
  const stop = async (): Promise<void> => {
    stopping.abort();
    await running;
  };
  t.after(async () => {
    await stop();
    await venue.stop();
  });
  await until("all markets are connected", () => actor.account().connectedMarkets === names.length);
  const trade = (id: number, timeMs = START_MS + id, symbol = "BTCUSDT"): void =>
    venue.send(`${symbol.toLowerCase()}@trade`, tradeFrame({ symbol, id, timeMs }));
  return { venue, actor, recorder, trade, stop };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

test("ingest publishes each trade once over reconnects that send old trades again", async (t) => {
  const { venue, actor, recorder, trade } = await start(t);
  for (let round = 0; round < 4; round++) {
    await until("connected", () => actor.account().connectedMarkets === 1);
    for (const id of range(Math.max(1, round * 10 - 4), round * 10 + 10)) trade(id);
    await until("the trades are here", () => recorder.ids.length === round * 10 + 10);
    venue.breakAll();
    await until("the loss is noticed", () => actor.account().connectionEnds.get("lost") === round + 1);
  }
  assert.deepEqual(recorder.ids, range(1, 40));
  assert.equal(actor.account().duplicates, 15);
  assert.equal(actor.account().missing, 0);
});

test("ingest publishes each trade once over rollovers", async (t) => {
  const { actor, recorder, trade } = await start(t, { feed: { rolloverMs: 120, overlapMs: 40 } });
  let sent = 0;
  await until("it has rolled over three times", () => {
    trade(++sent);
    return actor.account().rollovers >= 3;
  });
  await until("the last trade is here", () => recorder.ids.includes(sent));
  assert.deepEqual(recorder.ids, range(1, sent));
  assert.ok(actor.account().duplicates > 0);
  assert.deepEqual(new Set(recorder.messages.flatMap(({ down, seq }) => (seq > 2 ? down : []))), new Set());
});

test("ingest counts the trades that it missed while disconnected", async (t) => {
  const { venue, actor, recorder, trade } = await start(t);
  for (const id of [1, 2, 3]) trade(id);
  await until("the trades are here", () => recorder.ids.length === 3);
  venue.breakAll();
  await until("the loss is noticed", () => actor.account().connectionEnds.get("lost") === 1);
  await until("connected", () => actor.account().connectedMarkets === 1);
  for (const id of [10, 11]) trade(id);
  await until("the trades are here", () => recorder.ids.length === 5);
  assert.equal(actor.account().missing, 6);
});

test("ingest numbers the messages of a shard from 1, says which markets are down, and all when it stops", async (t) => {
  const names = ["BTC-USDT", "ETH-USDT", "ADA-USDT", "XRP-USDT", "SOL-USDT"];
  const { venue, actor, recorder, stop } = await start(t, { names });
  venue.breakAll();
  await until("the loss is noticed", () => actor.account().connectionEnds.get("lost") === 1);
  await until("connected", () => actor.account().connectedMarkets === names.length);
  await stop();
  const shards = new Map<string, string[]>();
  for (const name of names) {
    const subject = `ticks.${shardOf(`binance:${name}`, SHARDS)}.binance`;
    shards.set(subject, [...(shards.get(subject) ?? []), name].sort());
  }
  assert.deepEqual(new Set(recorder.messages.map(({ subject }) => subject)), new Set(shards.keys()));
  for (const [subject, own] of shards) {
    const messages = recorder.of(subject);
    assert.deepEqual(
      messages.map(({ seq }) => seq),
      range(1, messages.length),
    );
    assert.equal(new Set(messages.map(({ epoch }) => epoch)).size, 1);
    const changes = messages
      .map(({ down }) => down)
      .filter((down, i, all) => down.join() !== all[i - 1]?.join());
    assert.deepEqual(changes, [own, [], own, [], own]);
  }
});

test("ingest sends a heartbeat for a shard that is idle", async (t) => {
  const { recorder } = await start(t);
  const before = recorder.messages.length;
  await until("three heartbeats", () => recorder.messages.length >= before + 3);
  for (const { ticks, down } of recorder.messages.slice(before)) {
    assert.deepEqual(ticks, []);
    assert.deepEqual(down, []);
  }
});

test("ingest claims no venue time whose ticks of the same shard are still to come", async (t) => {
  const names = ["BTC-USDT", "ETH-USDT", "ADA-USDT"];
  const { recorder, trade } = await start(t, { names });
  for (const id of range(1, 600)) {
    trade(id, START_MS + id, `${names[id % 3]!.replace("-", "")}`);
  }
  await until("the trades are here", () => recorder.ids.length === 600);
  const claimedMs = new Map<string, number>();
  for (const { subject, venueMs, ticks } of recorder.messages) {
    for (const { timeMs } of ticks) {
      // The first trades of each market wait for a witness and so may come late.
      if (timeMs > START_MS + 20)
        assert.ok(timeMs > (claimedMs.get(subject) ?? 0), `${timeMs} came after ${claimedMs}`);
    }
    claimedMs.set(subject, venueMs);
  }
  assert.equal(recorder.messages.at(-1)!.venueMs, START_MS + 600);
});

test("ingest holds trades back in the venue's socket while the publisher is congested", async (t) => {
  const { actor, recorder, trade } = await start(t, { maxPauseMs: 5000 });
  for (const id of [1, 2]) trade(id);
  await until("the trades are here", () => recorder.ids.length === 2);
  recorder.congested = true;
  recorder.isFull = true;
  await until("the sockets are paused", () => actor.account().pauses === 1);
  const { frames } = actor.account();
  for (const id of range(3, 3000)) trade(id);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(actor.account().frames, frames);
  recorder.isFull = false;
  recorder.congested = false;
  await until("the trades are here", () => recorder.ids.length === 3000);
  assert.deepEqual(recorder.ids, range(1, 3000));
  assert.equal(actor.account().droppedTicks.total, 0);
});

test("ingest drops and counts when the congestion outlasts the pause, and numbers what it dropped", async (t) => {
  const { actor, recorder, trade } = await start(t, { maxPauseMs: 50 });
  for (const id of [1, 2]) trade(id);
  await until("the trades are here", () => recorder.ids.length === 2);
  recorder.congested = true;
  recorder.isFull = true;
  await until("the sockets are paused", () => actor.account().pauses === 1);
  for (const id of range(3, 1000)) trade(id);
  await until("all others were dropped", () => actor.account().droppedTicks.get("window_full") === 998);
  const before = recorder.messages.at(-1)!.seq;
  recorder.isFull = false;
  recorder.congested = false;
  trade(1001);
  await until("the trade is here", () => recorder.ids.includes(1001));
  const next = recorder.messages.find(({ seq }) => seq > before);
  assert.equal(next?.seq, before + recorder.refused + 1);
  assert.equal(next?.ticksBefore, 1000);
  const { accepted, publishedTicks, confirmedTicks, droppedTicks } = actor.account();
  assert.equal(accepted, publishedTicks + droppedTicks.total);
  assert.deepEqual([accepted, confirmedTicks, droppedTicks.total], [1001, 3, 998]);
});

test("ingest counts every hostile frame under its reason and publishes every good trade once", async (t) => {
  const sample = { symbol: "BTCUSDT", id: 3_735_683_259, timeMs: START_MS };
  const { venue, actor, recorder, trade } = await start(t);
  const hostile = hostileFrames(7, sample);
  const expected = new Map<string, number>();
  let id = sample.id;
  const good = (): void => trade(id, START_MS + id++ - sample.id);
  good();
  good();
  for (const { frame, reason } of hostile) {
    venue.send("btcusdt@trade", frame);
    good();
    expected.set(reason, (expected.get(reason) ?? 0) + 1);
  }
  await until("all good trades are here", () => recorder.ids.includes(id - 1));
  assert.deepEqual(recorder.ids, range(sample.id, id - 1));
  assert.deepEqual(new Map([...actor.account().rejected.entries()].sort()), new Map([...expected].sort()));
  const { frames, accepted, rejected, duplicates, ignored, connectionEnds } = actor.account();
  // The one frame more is the acknowledgement.
  assert.equal(frames, accepted + rejected.total + duplicates + ignored + 1);
  assert.equal(connectionEnds.total, 0);
});

test("ingest splits more markets than one connection may have", async (t) => {
  const names = range(1, 1030).map((index) => `A${index}-USDT`);
  const { venue, recorder, trade } = await start(t, { names });
  assert.deepEqual(
    venue.clients.map(({ streams }) => streams.size).sort((a, b) => a - b),
    [6, 1024],
  );
  assert.equal(venue.mostPerStream, 1);
  for (const id of [1, 2]) {
    trade(id, START_MS, "A1USDT");
    trade(id, START_MS, "A1030USDT");
  }
  await until("the trades are here", () => recorder.ids.length === 4);
});

test("ingest begins a new epoch with each run, from seq 1, and its account goes on", async (t) => {
  const { actor, recorder, trade, stop } = await start(t);
  for (const id of range(1, 5)) trade(id);
  await until("the trades are here", () => recorder.ids.length === 5);
  await stop();
  const first = recorder.messages.splice(0);
  // Who stands by for a while did not publish meanwhile.
  await new Promise((resolve) => setTimeout(resolve, 20));
  const beganMs = Date.now();
  const again = new AbortController();
  const running = actor.run({ signal: again.signal, ready: () => again.abort(), beat: () => {} });
  await running;
  assert.ok(recorder.messages[0]!.epoch > first[0]!.epoch);
  assert.ok(Number.isSafeInteger(recorder.messages[0]!.epoch));
  assert.ok(startOfEpochMs(recorder.messages[0]!.epoch) >= beganMs);
  assert.deepEqual([recorder.messages[0]!.seq, recorder.messages[0]!.ticksBefore], [1, 0]);
  const { received, accepted, confirmedTicks } = actor.account();
  assert.deepEqual([received, accepted, confirmedTicks], [5, 5, 5]);
});

test("createIngestActor() refuses markets of another venue, and none at all", () => {
  const options = {
    exchange: createBinanceExchange(),
    url: "wss://stream.binance.com:9443",
    shards: SHARDS,
    publisher: new Recorder(),
    log: pino({ level: "silent" }),
    latenessMs: 300_000,
  };
  assert.throws(() => createIngestActor({ ...options, markets: [] }), /Cannot ingest venue "binance"/);
  const markets = [parseMarket("sim:BTC-USDT")];
  assert.throws(() => createIngestActor({ ...options, markets }), /Cannot ingest market "sim:BTC-USDT"/);
  const actor = createIngestActor({
    ...options,
    markets: [parseMarket("binance:BTC-USDT")],
    busHosts: ["127.0.0.1:4222"],
  });
  assert.equal(actor.name, "ingest-binance");
  assert.deepEqual(actor.permissions.net, ["stream.binance.com:9443", "127.0.0.1:4222"]);
});

test("ingest that stands by publishes what it kept once it leads, in a new epoch, and nothing after", async (t) => {
  const names = ["BTC-USDT", "ETH-USDT"];
  const { actor, recorder, trade, venue } = await start(t, { standby: true, names });
  for (const id of range(1, 600)) trade(id, START_MS + id);
  await until("the trades are here", () => actor.account().accepted === 600);
  assert.equal(recorder.messages.length, 0, "another process publishes");
  assert.equal(actor.account().kept, 600);
  const epochs = new Set<number>();
  for (const [term, last] of [610, 620].entries()) {
    const end = new AbortController();
    const before: number = recorder.messages.length;
    const leading = actor.lead(end.signal);
    assert.equal(actor.account().kept, 0);
    trade(last, START_MS + last);
    await until("it publishes", () => recorder.ids.includes(last));
    end.abort();
    await leading;
    const messages = recorder.messages.slice(before);
    const { epoch } = messages[0]!;
    assert.ok(messages.every((message) => message.epoch === epoch && message.down.length === 0));
    epochs.add(epoch);
    for (const subject of new Set(messages.map((message) => message.subject))) {
      const numbers = recorder.of(subject).filter((message) => message.epoch === epoch);
      assert.deepEqual(
        numbers.map(({ seq }) => seq),
        range(1, numbers.length),
      );
    }
    let latestMs = 0;
    for (const { venueMs, ticks } of messages) {
      for (const { timeMs } of ticks)
        assert.ok(timeMs >= latestMs, "no message claims the time of a later one");
      latestMs = Math.max(latestMs, venueMs);
    }
    for (const id of range(last + 1, last + 5)) trade(id, START_MS + id);
    await until("trades are kept again", () => actor.account().kept === 5);
    venue.breakAll();
    await until("it is connected again", () => {
      const { connections, connectedMarkets } = actor.account();
      return connections === term + 2 && connectedMarkets === names.length;
    });
    assert.equal(recorder.messages.length, before + messages.length, "it says nothing between its terms");
  }
  assert.equal(epochs.size, 2);
  assert.deepEqual(recorder.ids, [...range(1, 600), 610, ...range(611, 615), 620]);
  const { accepted, confirmedTicks, kept, passed } = actor.account();
  assert.equal(accepted, confirmedTicks + kept + passed);
});
