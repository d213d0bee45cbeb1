import assert from "node:assert/strict";
import { test } from "node:test";
import { createBinanceExchange } from "../../src/exchange/binance.ts";
import { parseMarket } from "../../src/market/market.ts";

const markets = ["binance:BTC-USDT", "binance:ETH-USDT"].map(parseMarket);
const exchange = createBinanceExchange();
const event = {
  e: "trade",
  E: 1723161255343,
  s: "ETHUSDT",
  t: 3735683259,
  p: "2683.63000000",
  q: "0.02000000",
  T: 1723161255342,
  m: true,
  M: true,
};

function read(frame: unknown): { kind: string; reader: ReturnType<typeof exchange.createReader> } {
  const reader = exchange.createReader(markets);
  return { kind: reader.read(typeof frame === "string" ? frame : JSON.stringify(frame)), reader };
}

test("read() takes a trade from a combined stream", () => {
  const { kind, reader } = read({ stream: "ethusdt@trade", data: event });
  assert.equal(kind, "trade");
  assert.deepEqual(reader.trade, {
    market: 1,
    id: 3735683259,
    price: 2683.63,
    priceDecimals: 2,
    quantity: 0.02,
    quantityDecimals: 2,
    buy: false,
    timeMs: 1723161255342,
    eventMs: 1723161255343,
    receivedMs: 0,
  });
});

test("read() takes a trade from a raw stream, and a taker's buy where the seller was the maker", () => {
  const { kind, reader } = read({ ...event, m: false });
  assert.equal(kind, "trade");
  assert.equal(reader.trade.buy, true);
});

test("read() knows answers, good and bad", () => {
  const ack = read('{"result":null,"id":7}');
  assert.equal(ack.kind, "ack");
  assert.equal(ack.reader.requestId, 7);
  const refusal = read('{"error":{"code":2,"msg":"Invalid request"},"id":8}');
  assert.equal(refusal.kind, "refusal");
  assert.equal(refusal.reader.requestId, 8);
  assert.equal(refusal.reader.message, "code 2: Invalid request");
  assert.equal(read('{"code":1,"msg":"x"}').kind, "refusal");
});

test("read() ignores events of other streams", () => {
  const events = [
    { stream: "btcusdt@aggTrade", data: { ...event, e: "aggTrade" } },
    {
      stream: "btcusdt@depth@100ms",
      data: { e: "depthUpdate", E: 1, s: "BTCUSDT", U: 1, u: 2, b: [], a: [] },
    },
    { stream: "btcusdt@bookTicker", data: { u: 1, s: "BTCUSDT", b: "1", B: "1", a: "2", A: "1" } },
    { lastUpdateId: 160, bids: [["0.0024", "10"]], asks: [] },
  ];
  for (const frame of events) assert.equal(read(frame).kind, "ignored", JSON.stringify(frame));
});

test("read() says why it rejects a frame, with the field and its value", () => {
  const cases: [frame: unknown, reason: string, message: RegExp][] = [
    ['{"stream":"ethusdt@tra', "not_json", /frame "/],
    ["[]", "shape", /frame \[array\]/],
    ["null", "shape", /frame null/],
    [{ ...event, s: "XRPUSDT" }, "unknown_symbol", /s "XRPUSDT"/],
    [{ ...event, s: "constructor" }, "unknown_symbol", /s "constructor"/],
    [{ stream: "btcusdt@trade", data: event }, "stream_mismatch", /stream "btcusdt@trade"/],
    [{ ...event, s: 7 }, "symbol", /s 7/],
    [{ ...event, t: -1 }, "trade_id", /t -1/],
    [{ ...event, t: 2 ** 53 }, "trade_id", /t 9007199254740992/],
    [{ ...event, p: 2683.63 }, "price", /p 2683.63/],
    [{ ...event, p: "-1" }, "price", /price "-1"/],
    [{ ...event, q: "0.000" }, "quantity", /quantity "0.000"/],
    [{ ...event, p: "1234567890.123456" }, "precision", /price "1234567890.123456"/],
    [{ ...event, m: "true" }, "side", /m "true"/],
    [{ ...event, T: "1723161255342" }, "trade_time", /T "1723161255342"/],
    [{ ...event, T: 1723161255342.5 }, "trade_time", /T 1723161255342.5/],
    [JSON.stringify(event).replace('"T":1723161255342', '"T":1e400'), "trade_time", /T Infinity/],
    [{ ...event, T: 1723161255342000 }, "time_unit", /T 1723161255342000/],
    [{ ...event, T: 1723161255 }, "time_unit", /T 1723161255:/],
    [{ ...event, E: -5 }, "event_time", /E -5/],
  ];
  for (const [frame, reason, message] of cases) {
    const { kind, reader } = read(frame);
    assert.equal(kind, "rejected", JSON.stringify(frame));
    assert.equal(reader.reason, reason, reader.message);
    assert.match(reader.message, message);
  }
});

test("read() keeps its messages short whatever the frame", () => {
  const { kind, reader } = read({ ...event, p: "9".repeat(50_000) });
  assert.equal(kind, "rejected");
  assert.ok(reader.message.length < 200);
});

test("subscribeRequest() asks for the trade streams of markets", () => {
  assert.equal(
    exchange.subscribeRequest(markets, 3),
    '{"method":"SUBSCRIBE","params":["btcusdt@trade","ethusdt@trade"],"id":3}',
  );
});

test("connectUrl() keeps the venue's path on any host", () => {
  assert.equal(exchange.connectUrl("ws://127.0.0.1:9001"), "ws://127.0.0.1:9001/stream");
});
