import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { until } from "../feed/stand_in_exchange.ts";
import { expectedCandles } from "../pipeline/expected_candles.ts";
import { FeedStage, START_MS } from "./feed_stage.ts";

const SHORT = { pingMs: 200, silenceMs: 600 } as const;
const HOUR_MS = 3_600_000;
/** Trades by the old numbers. */
const OLD = 120;

test("a peer that vanishes without a word is found, and what it sent meanwhile is missing", async (t) => {
  const stage = await FeedStage.open(t, { feed: { pingMs: 200 } });
  await stage.trade(20);
  stage.wire.cut();
  stage.send(stage.make(10));
  await until("it is found", () => stage.actor.account().connectionEnds.get("no_pong") === 1);
  await stage.connected();
  await stage.trade(20);
  await stage.check();
  assert.equal(stage.actor.account().missing, 10);
});

test("a venue that answers pings and sends nothing is left, and nothing is missing if it had nothing", async (t) => {
  const stage = await FeedStage.open(t, { feed: SHORT });
  await stage.trade(20);
  await until("it is left", () => stage.actor.account().connectionEnds.get("silence") === 1);
  await stage.connected();
  await stage.trade(20);
  await stage.check();
  const { missing, connectionEnds } = stage.actor.account();
  assert.deepEqual([missing, connectionEnds.get("no_pong")], [0, 0]);
});

test("a venue that cuts within a frame loses what was in it, and that shows", async (t) => {
  const stage = await FeedStage.open(t);
  await stage.trade(20);
  stage.make(1);
  const [client] = stage.venue.open;
  const { _socket: raw } = client!.socket as unknown as { _socket: Socket };
  raw.write(Buffer.from([0x81, 126, 0x01, 0x00, 0x7b, 0x22]), () => raw.destroy());
  await until("it is cut", () => stage.actor.account().connectionEnds.get("lost") === 1);
  await stage.connected();
  await stage.trade(20);
  await stage.check();
  assert.equal(stage.actor.account().missing, 1);
});

test("what a venue repeats after each new subscription changes nothing", async (t) => {
  const stage = await FeedStage.open(t);
  for (let round = 0; round < 3; round++) {
    await stage.trade(20);
    stage.venue.breakAll();
    await until("it is cut", () => stage.actor.account().connectionEnds.get("lost") === round + 1);
    await stage.connected();
    stage.send(stage.trades.toReversed());
  }
  await stage.trade(10);
  await stage.check();
  const { duplicates, missing } = stage.actor.account();
  assert.deepEqual([duplicates, missing], [20 + 40 + 60, 0]);
});

test("a subscription that is refused, or never answered, is asked for again, and counted", async (t) => {
  const stage = await FeedStage.open(t, { feed: SHORT });
  await stage.trade(10);
  stage.venue.answer = "refuse";
  stage.venue.breakAll();
  await until("it was refused", () => stage.actor.account().refusedSubscriptions > 0);
  assert.equal(stage.actor.account().connectedMarkets, 0);
  stage.venue.answer = "ignore";
  const { silence } = countsOf(stage);
  await until(
    "the next connection is left for its silence",
    () => countsOf(stage).silence > silence + 1,
    20_000,
  );
  assert.equal(stage.actor.account().connectedMarkets, 0);
  stage.make(5);
  stage.venue.answer = "ack";
  await until("it is connected", () => stage.actor.account().connectedMarkets === 1, 20_000);
  await stage.trade(20);
  await stage.check();
  assert.equal(stage.actor.account().missing, 5);
});

test("frames in another order make the same candles", async (t) => {
  const stage = await FeedStage.open(t);
  await stage.trade(4);
  for (let round = 0; round < 5; round++) {
    const trades = stage.make(40);
    stage.send(trades.toSorted((a, b) => ((a.id * 7_919) % 41) - ((b.id * 7_919) % 41)));
    stage.trades.push(...trades);
    await stage.taken(stage.trades.length);
  }
  await stage.trade(10);
  await stage.check();
  assert.deepEqual([stage.actor.account().missing, stage.actor.account().rejected.total], [0, 0]);
});

test("a trade that comes later than LATENESS is counted and missing", async (t) => {
  const stage = await FeedStage.open(t, { latenessMs: 3_000 });
  await stage.trade(20);
  const [late] = stage.make(1);
  await stage.trade(60);
  stage.send([late!]);
  await until("it was too late", () => stage.maker.outcomes.get("too_late") === 1);
  stage.trades.push(...stage.make(10));
  stage.send(stage.trades.slice(-10));
  await stage.taken(91);
  await stage.check();
});

test("a jump of the numbering is a hole where it is, and nothing else", async (t) => {
  const stage = await FeedStage.open(t);
  for (const jump of [0, 1_000, 5_000_000]) {
    stage.id += jump;
    await stage.trade(30);
  }
  await stage.check();
  assert.deepEqual([stage.actor.account().missing, stage.actor.account().rejected.total], [5_001_000, 0]);
});

for (const [name, toId] of [
  ["far below", 1],
  ["among the known numbers", 1_000_005],
] as const) {
  test(`a venue that numbers anew, ${name}: nothing says that it is complete until then`, async (t) => {
    const stage = await FeedStage.open(t);
    await stage.trade(OLD);
    const lastOldMs = stage.trades.at(-1)!.timeMs;
    stage.id = toId;
    // What comes within 10 s may be anything; two more must agree.
    const refused = stage.make(41);
    stage.send(refused);
    stage.trades.push(...stage.make(60));
    stage.send(stage.trades.slice(OLD));
    await stage.taken(OLD + 60);
    const { rejected, duplicates, missing } = stage.actor.account();
    assert.deepEqual([rejected.get("stale_id"), rejected.total, duplicates, missing], [41, 41, 0, 0]);
    const firstNewMs = stage.trades[OLD]!.timeMs;
    // The old numbers and the new ones say nothing about each other.
    const before = expectedCandles([
      ...stage.trades.slice(0, OLD),
      { ...stage.trades[OLD - 1]!, id: 1e9, timeMs: firstNewMs },
    ]);
    const after = expectedCandles(stage.trades.slice(OLD));
    const isOf = (openMs: number, fromMs: number, toMs: number) => openMs >= fromMs && openMs + 1_000 <= toMs;
    const seconds = (candles: ReturnType<typeof expectedCandles>, fromMs: number, toMs: number) =>
      [...candles].filter(([, { interval, openMs }]) => interval === "1s" && isOf(openMs, fromMs, toMs));
    // The last one before may have been open still, and then nothing proves it any more.
    await stage.check(
      new Map([
        ...seconds(before, 0, lastOldMs - 1_000),
        ...seconds(after, firstNewMs, Number.POSITIVE_INFINITY),
      ]),
    );
    const between = [...stage.maker.candles.values()].filter(
      ({ openMs, endMs }) => endMs > lastOldMs && openMs <= firstNewMs,
    );
    assert.ok(between.length >= 11);
    assert.deepEqual(
      between.filter(({ complete }) => complete),
      [],
    );
  });
}

test("a few wrong numbers that agree with each other do no harm for long", async (t) => {
  const stage = await FeedStage.open(t);
  await stage.trade(40);
  const right = stage.id;
  stage.id += 5_000_000;
  await stage.trade(3);
  stage.id = right;
  await stage.trade(60);
  const healedMs = stage.timeMs;
  await stage.trade(80);
  const all = expectedCandles(stage.trades);
  // By their real numbers the trades have no hole.
  const real = expectedCandles(stage.trades.map((trade, index) => ({ ...trade, id: 1_000_000 + index })));
  const fields = new Map(
    [...all].map(([key, candle]) => [key, { ...candle, complete: real.get(key)!.complete }]),
  );
  const healed = [...fields].filter(([, { interval, openMs }]) => interval === "1s" && openMs >= healedMs);
  assert.ok(healed.length >= 18);
  await stage.check(new Map(healed));
  assert.ok([...stage.maker.candles.values()].every(({ missing }) => missing === 0));
  assert.equal(stage.actor.account().rejected.total, 0);
});

test("what no one takes in a flood is counted, and missing in exactly the candles that it is of", async (t) => {
  const stage = await FeedStage.open(t, { maxPauseMs: 50 });
  await stage.trade(20);
  stage.maker.congested = true;
  const flood = stage.make(20_000, 1);
  stage.send(flood);
  await until("it is shed", () => stage.actor.account().droppedTicks.get("window_full") === flood.length);
  stage.maker.congested = false;
  await until("it is over", () => stage.actor.account().connectedMarkets === 1);
  const trades = stage.make(20);
  stage.send(trades);
  stage.trades.push(...trades);
  await until("the next trades are taken", () => stage.maker.outcomes.get("accepted") === 40);
  await stage.check();
  const { accepted, publishedTicks, droppedTicks, pauses } = stage.actor.account();
  assert.deepEqual([accepted - publishedTicks, pauses], [droppedTicks.total, 1]);
});

test("a single trade of the far future closes nothing", async (t) => {
  const stage = await FeedStage.open(t);
  await stage.trade(20);
  stage.send([{ ...stage.make(1)[0]!, timeMs: stage.timeMs + HOUR_MS }]);
  stage.id--;
  await stage.trade(20);
  await stage.check();
  assert.equal(stage.actor.account().rejected.get("time_jump"), 1);
  const lastMs = Math.max(...[...stage.maker.candles.values()].map(({ endMs }) => endMs));
  assert.ok(lastMs <= stage.timeMs + 10_000);
});

test("a venue clock that jumps by less than LATENESS and back costs nothing", async (t) => {
  const stage = await FeedStage.open(t);
  await stage.trade(20);
  stage.timeMs += 240_000;
  await stage.trade(20);
  stage.timeMs -= 240_000;
  await stage.trade(20);
  stage.timeMs = START_MS + 300_000;
  await stage.trade(20);
  await stage.check();
});

test("a venue clock that jumps by an hour and back: what comes too late is counted, and its candles say so", async (t) => {
  const stage = await FeedStage.open(t);
  await stage.trade(20);
  stage.timeMs += HOUR_MS;
  await stage.trade(20);
  const tooLate = stage.make(20).map((trade) => ({ ...trade, timeMs: trade.timeMs - HOUR_MS }));
  stage.send(tooLate);
  await until("it is too late", () => stage.maker.outcomes.get("too_late") === tooLate.length);
  stage.timeMs = START_MS + HOUR_MS + 60_000;
  const trades = stage.make(20);
  stage.send(trades);
  stage.trades.push(...trades);
  await stage.taken(stage.trades.length + tooLate.length);
  const lacksSome = ({ openMs, endMs }: { openMs: number; endMs: number }) =>
    tooLate.some(({ timeMs }) => timeMs >= openMs && timeMs < endMs);
  const expected = [...expectedCandles(stage.trades)];
  assert.ok(expected.filter(([, candle]) => candle.complete && lacksSome(candle)).length >= 5);
  await stage.check(
    new Map(
      expected.map(([key, candle]) => [key, { ...candle, complete: candle.complete && !lacksSome(candle) }]),
    ),
  );
});

function countsOf({ actor }: FeedStage) {
  const { connectionEnds } = actor.account();
  return { silence: connectionEnds.get("silence") };
}
