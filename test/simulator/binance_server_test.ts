import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { suite, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import { BinanceServer, type BinanceServerOptions } from "../../src/simulator/binance_server.ts";
import { eventually } from "../bus/harness.ts";
import { PlainClient } from "./plain_client.ts";

const ONE = "btcusdt@trade";
const TWO = "ethusdt@trade";

async function start(context: TestContext, options: BinanceServerOptions = {}): Promise<BinanceServer> {
  const server = await BinanceServer.start(options);
  context.after(() => server.stop());
  return server;
}

function subscribe(client: PlainClient, params: unknown, id: unknown = 1): Promise<unknown> {
  return client.request({ method: "SUBSCRIBE", params, id });
}

suite("BinanceServer", { concurrency: true }, () => {
  test("sends combined streams wrapped and raw ones as they are", async (t) => {
    const server = await start(t);
    const combined = await PlainClient.open(`${server.url}/stream?streams=${ONE}/${TWO}`);
    const raw = await PlainClient.open(`${server.url}/ws/${ONE}`);
    const both = await PlainClient.open(`${server.url}/ws/${ONE}/${TWO}`);
    const none = await PlainClient.open(`${server.url}/ws`);
    assert.equal(server.connections, 4);
    assert.deepEqual(server.subscriptions, [ONE, TWO]);
    assert.equal(server.listenersOf(ONE), 3);
    assert.equal(server.publish(ONE, '{"t":1}'), true);
    assert.equal(server.publish(TWO, '{"t":2}'), true);
    assert.equal(server.publish("bnbusdt@trade", '{"t":3}'), false);
    await eventually("all have theirs", () => combined.frames.length === 2 && both.frames.length === 2);
    await eventually("the raw one too", () => raw.frames.length === 1);
    const wrapped = [`{"stream":"${ONE}","data":{"t":1}}`, `{"stream":"${TWO}","data":{"t":2}}`];
    assert.deepEqual(combined.frames, wrapped);
    assert.deepEqual(raw.frames, ['{"t":1}']);
    assert.deepEqual(both.frames, ['{"t":1}', '{"t":2}']);
    assert.deepEqual(none.frames, []);
  });

  test("changes subscriptions on request and forgets those of a client that is gone", async (t) => {
    const server = await start(t);
    const client = await PlainClient.open(`${server.url}/stream`);
    assert.deepEqual(await subscribe(client, [ONE, TWO, ONE], 7), { result: null, id: 7 });
    const list = { method: "LIST_SUBSCRIPTIONS", id: "a-7" };
    assert.deepEqual(await client.request(list), { result: [ONE, TWO], id: "a-7" });
    const request = { method: "UNSUBSCRIBE", params: [ONE, "bnbusdt@trade"], id: null };
    assert.deepEqual(await client.request(request), { result: null, id: null });
    assert.deepEqual(await client.request(list), { result: [TWO], id: "a-7" });
    assert.equal(server.publish(ONE, "{}"), false);
    client.socket.terminate();
    await eventually("it is forgotten", () => server.connections === 0);
    assert.deepEqual(server.subscriptions, []);
    assert.equal(server.accepted, 1);
  });

  test("tells and sets whether events are wrapped", async (t) => {
    const server = await start(t);
    const client = await PlainClient.open(`${server.url}/ws/${ONE}`);
    const get = { method: "GET_PROPERTY", params: ["combined"], id: 1 };
    assert.deepEqual(await client.request(get), { result: false, id: 1 });
    const set = { method: "SET_PROPERTY", params: ["combined", true], id: 2 };
    assert.deepEqual(await client.request(set), { result: null, id: 2 });
    assert.deepEqual(await client.request(get), { result: true, id: 1 });
    server.publish(ONE, '{"t":1}');
    await eventually("there is an event", () => client.frames.length === 4);
    assert.equal(client.frames[3], `{"stream":"${ONE}","data":{"t":1}}`);
    const combined = await PlainClient.open(`${server.url}/stream`);
    assert.deepEqual(await combined.request(get), { result: true, id: 1 });
  });

  // As developers.binance.com documents them: Spot, WebSocket Streams, Error Messages.
  const variants = ["SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY"];
  const expected = variants.map((name) => `\`${name}\``).join(", ");
  const noId = "Invalid request: request ID must be an unsigned integer";
  const noName = "Invalid request: property name must be a string";
  const refusals: [request: object | string, answer: { code: number; msg: string; id?: unknown }][] = [
    [
      { method: "GET_PROPERTY", params: ["speed"], id: 5 },
      { code: 0, msg: "Unknown property", id: 5 },
    ],
    [
      { method: "SET_PROPERTY", params: ["combined", "yes"], id: 5 },
      { code: 1, msg: "Invalid value type: expected Boolean", id: 5 },
    ],
    [
      { method: "SET_PROPERTY", params: [true], id: 5 },
      { code: 2, msg: noName, id: 5 },
    ],
    [
      { method: "GET_PROPERTY", id: 5 },
      { code: 2, msg: noName, id: 5 },
    ],
    [
      { method: "GET_PROPERTY", params: ["combined", 1], id: 5 },
      { code: 2, msg: "Invalid request: too many parameters", id: 5 },
    ],
    [
      { method: "LIST_SUBSCRIPTIONS", id: 1.5 },
      { code: 2, msg: noId },
    ],
    [
      { method: "LIST_SUBSCRIPTIONS", id: {} },
      { code: 2, msg: noId },
    ],
    [
      { method: "LIST_SUBSCRIPTIONS", id: "x".repeat(37) },
      { code: 2, msg: noId },
    ],
    [
      '{"method":"SUBSCRIB","params":[],"id":3}',
      {
        code: 2,
        msg: `Invalid request: unknown variant \`SUBSCRIB\`, expected one of ${expected} at line 1 column 20`,
        id: 3,
      },
    ],
    [
      '{"params":[],\n"id":3}',
      { code: 2, msg: "Invalid request: missing field `method` at line 2 column 7", id: 3 },
    ],
    [
      { method: "SUBSCRIBE", params: "btcusdt@trade", id: 4 },
      { code: 2, msg: "Invalid request: params must be an array of strings", id: 4 },
    ],
    ["[1]", { code: 2, msg: "Invalid request: expected an object" }],
    ["hello", { code: 3, msg: "Invalid JSON: expected value at line 1 column 1" }],
    ['{"method":}', { code: 3, msg: "Invalid JSON: expected value at line 1 column 11" }],
    ["", { code: 3, msg: "Invalid JSON: expected value at line 1 column 0" }],
  ];

  for (const [request, answer] of refusals) {
    const text = typeof request === "string" ? request : JSON.stringify(request);
    test(`answers ${text.slice(0, 60).replace("\n", " ")} with code ${answer.code}`, async (t) => {
      const server = await start(t);
      const client = await PlainClient.open(`${server.url}/ws`);
      assert.deepEqual(await client.request(text), answer);
      // It goes on as if nothing had been.
      assert.deepEqual(await subscribe(client, [ONE]), { result: null, id: 1 });
      const nesting = await start(t, { nestsErrors: true });
      const { id, ...error } = answer;
      const nested = await (await PlainClient.open(`${nesting.url}/ws`)).request(text);
      assert.deepEqual(nested, { error, ...(id === undefined ? {} : { id }) });
    });
  }

  test("lets a connection have 1,024 streams and no more", async (t) => {
    const server = await start(t);
    const client = await PlainClient.open(`${server.url}/stream`);
    const names = Array.from({ length: 1_024 }, (_, i) => `m${i}usdt@trade`);
    assert.deepEqual(await subscribe(client, names), { result: null, id: 1 });
    assert.deepEqual(await subscribe(client, names), { result: null, id: 1 });
    const refusal = { code: 4, msg: "Too many subscriptions", id: 2 };
    assert.deepEqual(await subscribe(client, [ONE], 2), refusal);
    assert.equal(server.subscriptions.length, 1_024);
  });

  test("cuts off a client that sends more than five messages a second", async (t) => {
    const server = await start(t);
    for (const send of [
      (client: PlainClient) => client.socket.send('{"method":"LIST_SUBSCRIPTIONS","id":1}'),
      (client: PlainClient) => client.socket.ping(),
    ]) {
      const client = await PlainClient.open(`${server.url}/ws/${ONE}`);
      for (let i = 0; i < 12; i++) send(client);
      await eventually("it is closed", () => client.closed !== undefined);
      assert.equal(client.closed?.code, 1008);
      assert.ok(client.frames.length < 12);
      assert.equal(server.listenersOf(ONE), 0);
    }
    const steady = await PlainClient.open(`${server.url}/ws`);
    for (let i = 0; i < 8; i++) {
      await steady.request({ method: "LIST_SUBSCRIPTIONS", id: i });
      await delay(260);
    }
    assert.equal(steady.closed, undefined);
  });

  test("pings, and cuts off a client whose pongs do not come", async (t) => {
    const server = await start(t, { pingIntervalMs: 50, pongDeadlineMs: 500 });
    const lively = await PlainClient.open(`${server.url}/ws`);
    const deaf = await PlainClient.open(`${server.url}/ws`, { autoPong: false });
    const chatty = await PlainClient.open(`${server.url}/ws`, { autoPong: false });
    const pongs = setInterval(() => chatty.socket.pong(), 50);
    await eventually("both are cut off", () => deaf.closed !== undefined && chatty.closed !== undefined);
    clearInterval(pongs);
    assert.equal(deaf.closed?.code, 1006);
    assert.ok(deaf.pings >= 3, `${deaf.pings} pings`);
    await eventually("it pings on", () => lively.pings >= deaf.pings + 5);
    assert.equal(lively.closed, undefined);
  });

  test("closes a connection at its greatest age, and sends nothing to one that is closing", async (t) => {
    const server = await start(t, { maxAgeMs: 300 });
    const client = await PlainClient.open(`${server.url}/ws/${ONE}`);
    let sent = 0;
    while (server.publish(ONE, `{"t":${sent}}`)) {
      sent++;
      await delay(5);
    }
    await eventually("it is closed", () => client.closed !== undefined);
    assert.equal(client.closed?.code, 1001);
    assert.equal(client.frames.length, sent);
  });

  test("refuses other paths, and survives hostile ones and clients that break off", async (t) => {
    const server = await start(t);
    for (const path of ["/", "/wss", "/ws2/x", "/stream/x"]) {
      const socket = new WebSocket(`${server.url}${path}`);
      const [error] = (await once(socket, "error")) as [Error];
      assert.match(error.message, /404/, path);
    }
    const { hostname, port } = new URL(server.url);
    const upgrade = (path: string) =>
      `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for (const path of ["//", "//[", "/%", "/ws/%zz"]) {
      const socket = connect(Number(port), hostname);
      socket.on("error", () => undefined);
      socket.write(upgrade(path));
      await once(socket, "data");
      socket.resetAndDestroy();
    }
    const client = await PlainClient.open(`${server.url}/ws`);
    assert.deepEqual(await subscribe(client, [ONE]), { result: null, id: 1 });
  });

  test("frames events of every length and any text", async (t) => {
    const server = await start(t);
    const client = await PlainClient.open(`${server.url}/ws/${ONE}`);
    const events = [0, 1, 100, 123, 124, 125, 126, 127, 65_533, 65_534, 65_535, 65_536, 200_000].map(
      (length) => `"${"x".repeat(length)}"`,
    );
    events.push('{"s":"币安人生USDT"}', '"é"', `"${"ß".repeat(63)}"`, '"🚀"');
    for (const event of events) server.publish(ONE, event);
    await eventually("all are there", () => client.frames.length === events.length);
    assert.deepEqual(client.frames, events);
  });

  test("is silent on demand though the connection lives", async (t) => {
    const server = await start(t, { pingIntervalMs: 50 });
    const client = await PlainClient.open(`${server.url}/ws/${ONE}`);
    server.mute(60_000);
    assert.equal(server.publish(ONE, '{"t":1}'), true);
    const { pings } = client;
    await eventually("it is pinged", () => client.pings > pings + 1);
    server.mute(0);
    server.publish(ONE, '{"t":2}');
    await eventually("it hears again", () => client.frames.length > 0);
    assert.deepEqual(client.frames, ['{"t":2}']);
  });
});

test("BinanceServer cuts off a client that does not take what it asked for", async (t) => {
  const server = await start(t, { maxBufferedBytes: 100_000 });
  const slow = await PlainClient.open(`${server.url}/ws/btcusdt@trade`);
  const good = await PlainClient.open(`${server.url}/ws/btcusdt@trade`);
  slow.socket.pause();
  const event = JSON.stringify({ e: "trade", s: "x".repeat(10_000) });
  await eventually("the slow one is cut off", () => {
    server.publish("btcusdt@trade", event);
    return server.connections === 1;
  });
  const before = good.frames.length;
  server.publish("btcusdt@trade", event);
  await eventually("the other one is served", () => good.frames.length > before);
});
