import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { TickBuffer } from "../../src/market/tick_buffer.ts";
import { TickDecoder } from "../../src/wire/tick_decoder.ts";
import { TickEncoder } from "../../src/wire/tick_encoder.ts";
import { BadMessageError } from "../../src/wire/tick_message.ts";

const tick = fc.record(
  {
    market: fc.constantFrom("BTC-USDT", "ETH-USDT", "1INCH-BTC"),
    id: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    price: fc.double({ min: 1e-12, max: 1e12, noNaN: true }),
    quantity: fc.double({ min: 1e-12, max: 1e12, noNaN: true }),
    buy: fc.constantFrom(0, 1),
    timeMs: fc.oneof(
      fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
      fc.integer({ min: 0, max: 4e12 }),
    ),
    receivedUs: fc.integer({ min: 1_700_000_000_000_000, max: 1_700_000_100_000_000 }),
  },
  { noNullPrototype: true },
);

const header = fc.record(
  {
    epoch: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    seq: fc.integer({ min: 1, max: 1e9 }),
    sentMs: fc.integer({ min: 0, max: 4e12 }),
    venueMs: fc.integer({ min: 0, max: 4e12 }),
    down: fc.subarray(["BTC-USDT", "ETH-USDT"]),
    ticksBefore: fc.option(fc.nat(Number.MAX_SAFE_INTEGER), { nil: undefined }),
  },
  { noNullPrototype: true },
);

const ticks = fc.array(tick, { maxLength: 40, size: "max" });

type Row = typeof tick extends fc.Arbitrary<infer T> ? T : never;

function bufferOf(rows: readonly Row[]): TickBuffer {
  const buffer = new TickBuffer(64);
  for (const row of rows) {
    const i = buffer.length;
    buffer.market[i] = buffer.indexOf(row.market, 2, 8);
    buffer.length++;
    buffer.id[i] = row.id;
    buffer.price[i] = row.price;
    buffer.quantity[i] = row.quantity;
    buffer.buy[i] = row.buy;
    buffer.timeMs[i] = row.timeMs;
    buffer.receivedMs[i] = row.receivedUs / 1000;
  }
  return buffer;
}

test("TickDecoder reads back what TickEncoder wrote, rows and columns", () => {
  const encoder = new TickEncoder();
  const decoder = new TickDecoder();
  fc.assert(
    fc.property(header, ticks, (head, rows) => {
      const message = decoder.decode(encoder.encode({ ...head, ticks: bufferOf(rows) }));
      const { ticks: read, ...readHead } = message;
      assert.deepEqual(readHead, head);
      const readRows = Array.from({ length: read.length }, (_, i) => ({
        market: read.markets[read.market[i]!]!.name,
        id: read.id[i],
        price: read.price[i],
        quantity: read.quantity[i],
        buy: read.buy[i],
        timeMs: read.timeMs[i],
        receivedUs: Math.round(read.receivedMs[i]! * 1000),
      }));
      assert.deepEqual(readRows, rows);
    }),
  );
});

test("TickDecoder refuses damaged messages with a reason and stays usable", () => {
  const encoder = new TickEncoder();
  const decoder = new TickDecoder();
  fc.assert(
    fc.property(header, ticks, fc.nat(), fc.nat(255), fc.nat(), (head, rows, at, byte, cut) => {
      const good = encoder.encode({ ...head, ticks: bufferOf(rows) });
      const flipped = good.slice();
      flipped[at % good.length] = byte;
      for (const damaged of [flipped, good.subarray(0, cut % good.length)]) {
        try {
          decoder.decode(damaged);
        } catch (error) {
          assert.ok(error instanceof BadMessageError, String(error));
        }
      }
      assert.equal(decoder.decode(good).ticks.length, rows.length);
    }),
  );
});

test("TickDecoder names the reason", () => {
  const decoder = new TickDecoder();
  const market = ["BTC-USDT", 2, 8];
  const cases: [reason: string, message: unknown][] = [
    ["envelope", [2, 1, 1, 0, 0, [], [], []]],
    ["envelope", { version: 1 }],
    ["envelope", [1, -1, 1, 0, 0, [], [], []]],
    ["envelope", [1, 1, 1, 0, 0, [], [], [], -1]],
    ["envelope", [1, 1, 1, 0, 0, [], [], [], 0, 0]],
    ["markets", [1, 1, 1, 0, 0, [market, market], [], []]],
    ["envelope", [1, 1, 1, 0, 0, [], [], ["btc"]]],
    ["markets", [1, 1, 1, 0, 0, [["btc-usdt", 2, 8]], [], []]],
    ["rows", [1, 1, 1, 0, 0, [market], [[0, 1, 5, 1, 0, 0]], []]],
    ["rows", [1, 1, 1, 0, 0, [market], [[0, 1, "5", 1, 0, 0, 0]], []]],
    ["tick", [1, 1, 1, 0, 0, [market], [[0, 1, -5, 1, 0, 0, 0]], []]],
    ["tick", [1, 1, 1, 0, 0, [market], [[-1, 1, 5, 1, 0, 0, 0]], []]],
    ["tick", [1, 1, 1, 0, 0, [market], [[0.5, 1, 5, 1, 0, 0, 0]], []]],
    ["tick", [1, 1, 1, 0, 0, [market], [[65_536, 1, 5, 1, 0, 0, 0]], []]],
    ["tick", [1, 1, 1, 0, 0, [market], [[0, 1.5, 5, 1, 0, 0, 0]], []]],
    ["tick", [1, 1, 1, 0, 0, [market], [[0, 1, 5, 1, 257, 0, 0]], []]],
    ["tick", [1, 1, 1, 0, 0, [market], [[0, 1, 5, 1, 0, Number.NaN, 0]], []]],
    ["tick", [1, 1, 1, 0, 0, [market], [[7, 1, 5, 1, 0, 0, 0]], []]],
    ["columns", [1, 1, 1, 0, 0, [market], [new Uint8Array(2)], []]],
  ];
  for (const [reason, message] of cases) {
    assert.throws(
      () => decoder.decode(encode(message)),
      (error) => error instanceof BadMessageError && error.reason === reason,
      JSON.stringify(message),
    );
  }
});

test("TickDecoder reads of a message that is too old no more than its head, and how many ticks it has", () => {
  const encoder = new TickEncoder();
  const decoder = new TickDecoder({ maxAgeMs: 60_000 });
  fc.assert(
    fc.property(header, ticks, fc.boolean(), (head, rows, isStale) => {
      const sentMs = Date.now() - (isStale ? 120_000 : 0);
      const message = decoder.decode(encoder.encode({ ...head, sentMs, ticks: bufferOf(rows) }));
      assert.equal(message.isStale ?? false, isStale && rows.length > 0);
      assert.equal(message.ticks.length, rows.length);
      assert.deepEqual([message.epoch, message.seq, message.sentMs], [head.epoch, head.seq, sentMs]);
      assert.equal(message.venueMs, head.venueMs);
      if (message.isStale) assert.equal(message.ticks.markets.length, 0);
      else assert.deepEqual(message.down, head.down);
    }),
  );
});

test("TickDecoder passes over a damaged message only if its head and number of ticks are whole", () => {
  const encoder = new TickEncoder();
  const decoder = new TickDecoder({ maxAgeMs: 1 });
  fc.assert(
    fc.property(header, ticks, fc.nat(), (head, rows, cut) => {
      const bytes = encoder.encode({ ...head, sentMs: 0, ticks: bufferOf(rows) });
      const damaged = bytes.subarray(0, cut % bytes.length);
      try {
        const message = decoder.decode(damaged);
        assert.ok(message.isStale && message.epoch === head.epoch && message.ticks.length === rows.length);
      } catch (error) {
        assert.ok(error instanceof BadMessageError, `${error}`);
      }
    }),
  );
});
