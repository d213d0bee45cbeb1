import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { pino } from "pino";
import { createBinanceExchange } from "../../src/exchange/binance.ts";
import { ReceiveClock } from "../../src/feed/receive_clock.ts";
import { WebSocketFeed, type WebSocketFeedOptions } from "../../src/feed/web_socket_feed.ts";
import { parseMarket } from "../../src/market/market.ts";
import { tradeFrame } from "../ingest/hostile_frames.ts";
import { StandInExchange, type StandInOptions, until } from "./stand_in_exchange.ts";

const STREAM = "btcusdt@trade";
const log = pino({ level: "silent" });

interface Fixture {
  readonly venue: StandInExchange;
  readonly feed: WebSocketFeed;
  readonly ids: number[];
  readonly rejections: string[];
  /** Indexes of the markets that are connected now. */
  readonly up: Set<number>;
  /** Changes of `up`, in words. */
  readonly changes: string[];
  /** Sends the trade of an id to all that subscribe. */
  trade(id: number): void;
  stop(): Promise<void>;
}

interface FixtureOptions {
  readonly names?: readonly string[];
  readonly venue?: StandInOptions;
  readonly feed?: Partial<WebSocketFeedOptions>;
}

async function start(t: TestContext, options: FixtureOptions = {}): Promise<Fixture> {
  const venue = await StandInExchange.start(options.venue);
  const exchange = createBinanceExchange();
  const markets = (options.names ?? ["BTC-USDT"]).map((name) => parseMarket(`binance:${name}`));
  const [ids, rejections, changes]: [number[], string[], string[]] = [[], [], []];
  const up = new Set<number>();
  const feed = new WebSocketFeed(
    {
      exchange,
      baseUrl: venue.url,
      reader: exchange.createReader(markets),
      markets,
      firstMarket: 0,
      clock: new ReceiveClock(),
      log,
      retryMinMs: 5,
      retryMaxMs: 50,
      ...options.feed,
    },
    {
      trade: ({ id }) => ids.push(id),
      rejected: (reason) => rejections.push(reason),
      connected: (indexes) => {
        changes.push(`+${indexes.length}`);
        for (const index of indexes) up.add(index);
      },
      disconnected: (indexes) => {
        changes.push(`-${indexes.length}`);
        for (const index of indexes) up.delete(index);
      },
    },
  );
  const stopping = new AbortController();
  const running = feed.run(stopping.signal);
  const stop = async (): Promise<void> => {
    stopping.abort();
    await running;
  };
  t.after(async () => {
    await stop();
    await venue.stop();
  });
  const trade = (id: number): void =>
    venue.send(STREAM, tradeFrame({ symbol: "BTCUSDT", id, timeMs: 1_723_161_255_342 + id }));
  return { venue, feed, ids, rejections, up, changes, trade, stop };
}

test("WebSocketFeed delivers trades and says when its markets are connected", async (t) => {
  const { ids, trade, up, changes, stop } = await start(t);
  await until("connected", () => up.has(0));
  trade(1);
  trade(2);
  await until("both trades are here", () => ids.length === 2);
  await stop();
  assert.deepEqual(ids, [1, 2]);
  assert.deepEqual(changes, ["+1", "-1"]);
});

test("WebSocketFeed reconnects and subscribes again after each loss, never with two connections", async (t) => {
  const { venue, feed, ids, trade, up } = await start(t);
  for (let round = 1; round <= 5; round++) {
    await until("connected", () => up.has(0));
    trade(round);
    await until("the trade is here", () => ids.length === round);
    venue.breakAll();
    // Not by the state: it may be connected again before anybody looks.
    await until("the loss is noticed", () => feed.account.ends.get("lost") === round);
  }
  await until("connected", () => up.has(0));
  assert.equal(venue.mostPerStream, 1);
  assert.equal(feed.account.connections, 6);
  assert.equal(feed.account.ends.get("lost"), 5);
  for (const { requests } of venue.clients)
    assert.deepEqual(
      requests.map(({ params }) => params),
      [[STREAM]],
    );
});

test("WebSocketFeed keeps trying while the venue is away", async (t) => {
  const { venue, feed, up } = await start(t);
  await until("connected", () => up.has(0));
  const { port } = venue;
  await venue.stop();
  await until("it has failed a few times", () => feed.account.ends.get("refused") >= 4);
  const back = await StandInExchange.start({ port });
  t.after(() => back.stop());
  await until("connected again", () => up.has(0));
});

test("WebSocketFeed finds a connection that answers no ping, even while it is young and silent", async (t) => {
  const { feed } = await start(t, { venue: { answersPings: false }, feed: { pingMs: 40 } });
  await until("it gave up two connections", () => feed.account.ends.get("no_pong") >= 2);
});

test("WebSocketFeed keeps a connection of which it heard nothing because it was frozen itself", async (t) => {
  const { venue, feed, ids, trade } = await start(t, { feed: { pingMs: 100 } });
  await until("connected", () => venue.open.length === 1);
  let freezes = 0;
  venue.open[0]!.socket.on("ping", () => {
    // The answer is on its way, and nobody sees it come.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250);
    freezes++;
  });
  await until("it was frozen", () => freezes === 5);
  trade(1);
  await until("the trade is here", () => ids.length === 1);
  assert.equal(feed.account.ends.total, 0);
});

test("WebSocketFeed replaces a connection that answers pings and delivers nothing", async (t) => {
  const { venue, feed } = await start(t, { feed: { pingMs: 20, silenceMs: 100 } });
  await until("it gave up two connections", () => feed.account.ends.get("silence") >= 2);
  assert.equal(feed.account.ends.get("no_pong"), 0);
  assert.equal(venue.mostPerStream, 1);
});

test("WebSocketFeed keeps a connection that delivers", async (t) => {
  const { feed, ids, trade } = await start(t, { feed: { pingMs: 20, silenceMs: 400 } });
  for (let id = 1; id <= 40; id++) {
    trade(id);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.ok(ids.length > 0);
  assert.equal(feed.account.ends.total, 0);
});

test("WebSocketFeed rolls over before the venue cuts, without losing a trade or being disconnected", async (t) => {
  const { venue, feed, ids, trade, up, changes } = await start(t, {
    feed: { rolloverMs: 150, overlapMs: 30 },
  });
  await until("connected", () => up.has(0));
  let sent = 0;
  await until("it has rolled over four times", () => {
    trade(++sent);
    return feed.account.rollovers >= 4;
  });
  await until("the last trade is here", () => ids.includes(sent));
  const distinct = [...new Set(ids)].sort((a, b) => a - b);
  assert.deepEqual(
    distinct,
    Array.from({ length: sent }, (_, index) => index + 1),
  );
  assert.deepEqual(changes, ["+1"]);
  assert.equal(venue.mostPerStream, 2);
  await until("the old connection is gone", () => venue.open.length === 1);
});

test("WebSocketFeed stays with the old connection while no successor is served", async (t) => {
  const { venue, feed, ids, trade, up, changes } = await start(t, {
    feed: { rolloverMs: 60, connectTimeoutMs: 40, overlapMs: 10 },
  });
  await until("connected", () => up.has(0));
  venue.answer = "refuse";
  await until("two successors were given up", () => feed.account.ends.get("replaced") >= 2);
  trade(7);
  await until("the trade is here", () => ids.includes(7));
  assert.deepEqual(changes, ["+1"]);
  assert.equal(feed.account.rollovers, 0);
  venue.answer = "ack";
  await until("it rolled over", () => feed.account.rollovers >= 1);
  assert.deepEqual(changes, ["+1"]);
});

test("WebSocketFeed repeats a refused request later on the same connection", async (t) => {
  const { venue, feed, up } = await start(t, { feed: { random: () => 0 } });
  await until("the first request was sent", () => (venue.clients[0]?.requests.length ?? 0) >= 1);
  assert.equal(feed.account.refusals, 0);
  venue.answer = "refuse";
  venue.breakAll();
  await until("a request was refused", () => feed.account.refusals >= 1);
  assert.equal(up.size, 0);
  const connections = venue.clients.length;
  venue.answer = "ack";
  await until("connected", () => up.has(0));
  assert.equal(venue.clients.length, connections);
});

test("WebSocketFeed takes a trade for an acknowledgement that got lost", async (t) => {
  const { venue, ids, trade, up } = await start(t);
  await until("connected", () => up.has(0));
  venue.answer = "ignore";
  venue.breakAll();
  await until("it subscribed again", () => venue.open.some(({ streams }) => streams.has(STREAM)));
  assert.equal(up.has(0), false);
  trade(1);
  await until("connected", () => up.has(0));
  assert.deepEqual(ids, [1]);
});

test("WebSocketFeed sends large subscriptions in several requests at the venue's pace", async (t) => {
  const names = Array.from({ length: 450 }, (_, index) => `A${index}-USDT`);
  const { venue, changes, up } = await start(t, { names });
  await until("all are connected", () => up.size === names.length);
  const { requests } = venue.clients[0]!;
  assert.deepEqual(
    requests.map(({ params }) => params.length),
    [200, 200, 50],
  );
  assert.deepEqual(changes, ["+200", "+200", "+50"]);
  // Binance cuts whoever sends more than 5 in a second.
  assert.ok(requests[2]!.atMs - requests[0]!.atMs > 350);
});

test("WebSocketFeed rejects binary and oversized frames unread and reads on", async (t) => {
  const { venue, ids, rejections, trade, up } = await start(t);
  await until("connected", () => up.has(0));
  venue.send(STREAM, Buffer.from(tradeFrame({ symbol: "BTCUSDT", id: 1, timeMs: 1_723_161_255_342 })));
  venue.send(STREAM, `{"stream":"${"x".repeat(10_000_000)}"}`);
  trade(2);
  await until("the trade is here", () => ids.length > 0);
  assert.deepEqual(ids, [2]);
  assert.deepEqual(rejections, ["binary", "oversized"]);
});

test("WebSocketFeed.pause() reads nothing until resume(), and loses nothing", async (t) => {
  const { feed, ids, trade, up } = await start(t, { feed: { silenceMs: 100, pingMs: 40 } });
  await until("connected", () => up.has(0));
  trade(1);
  await until("the trade is here", () => ids.length === 1);
  feed.pause();
  const frames = feed.account.frames;
  for (let id = 2; id <= 200; id++) trade(id);
  await new Promise((resolve) => setTimeout(resolve, 250));
  assert.equal(feed.account.frames, frames);
  assert.equal(feed.account.ends.total, 0);
  feed.resume();
  await until("all trades are here", () => ids.length === 200);
});

test("WebSocketFeed replaces a connection whose trades come ever later, and none that is late from the start", async (t) => {
  const { venue, feed, up } = await start(t, { feed: { maxAgeMs: 500 } });
  let id = 0;
  const tradeOfAge = (ageMs: number): void =>
    venue.send(STREAM, tradeFrame({ symbol: "BTCUSDT", id: ++id, timeMs: Date.now() - ageMs }));
  await until("connected", () => up.has(0));
  for (let i = 0; i < 100; i++) tradeOfAge(0);
  await until("the connection is replaced", () => {
    tradeOfAge(2_000);
    return feed.account.ends.get("stale") === 1 && feed.account.connections === 2;
  });
  await until("connected", () => up.has(0));
  const framesBefore = feed.account.frames;
  // The clocks may differ by as much, for all it knows.
  await until("there were many more trades", () => {
    tradeOfAge(2_000);
    return feed.account.frames > framesBefore + 100;
  });
  assert.equal(feed.account.ends.total, 1);
});
