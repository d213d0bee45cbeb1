import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Trade } from "../../src/exchange/exchange.ts";
import { type GateRejection, TradeGate } from "../../src/ingest/trade_gate.ts";

const START_MS = 1_560_000_000_000;
const HOUR_MS = 3_600_000;

function trade(market: number, id: number, timeMs: number, eventMs: number = timeMs + 1): Trade {
  return {
    market,
    id,
    price: 1,
    priceDecimals: 0,
    quantity: 1,
    quantityDecimals: 0,
    buy: true,
    timeMs,
    eventMs,
    receivedMs: 0,
  };
}

class Run {
  readonly accepted: string[] = [];
  readonly rejected: GateRejection[] = [];
  readonly gate: TradeGate;
  #nowMs = 1000;

  constructor(markets = 3) {
    this.gate = new TradeGate({
      markets,
      latenessMs: 300_000,
      accept: ({ market, id }) => this.accepted.push(`${market}:${id}`),
      reject: (reason) => this.rejected.push(reason),
    });
  }

  offer(one: Trade, afterMs = 0.1): void {
    this.#nowMs += afterMs;
    this.gate.offer({ ...one, receivedMs: this.#nowMs });
    this.#checkBalance();
  }

  offerAll(trades: readonly Trade[]): this {
    for (const one of trades) this.offer(one);
    return this;
  }

  /** Lets time pass, as the actor's timer does. */
  wait(timeMs: number): this {
    this.#nowMs += timeMs;
    this.gate.expire(this.#nowMs);
    this.#checkBalance();
    return this;
  }

  /** Whatever it is offered, it knows where each trade is. */
  #checkBalance(): void {
    const { offered, accepted, duplicates, rejections, held } = this.gate;
    assert.equal(offered, accepted + duplicates + rejections.total + held);
  }
}

/** A venue's stream in order: a few markets, consecutive ids, times that rarely rest for hours. */
const goodStream = fc
  .array(
    fc.record({
      market: fc.nat(2),
      afterMs: fc.oneof(
        { weight: 20, arbitrary: fc.nat(300) },
        { weight: 1, arbitrary: fc.integer({ min: 61_000, max: HOUR_MS }) },
      ),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((steps) => {
    const ids = [7_000_000, 500, 900_000_000];
    let timeMs = START_MS;
    return steps.map(({ market, afterMs }) => {
      timeMs += afterMs;
      return trade(market, ids[market]!++, timeMs);
    });
  });

/** The same without long rests. */
const livelyStream = fc
  .array(fc.record({ market: fc.nat(2), afterMs: fc.nat(300) }), { minLength: 12, maxLength: 60 })
  .map((steps) => {
    const ids = [7_000_000, 500_000, 900_000_000];
    let timeMs = START_MS;
    return steps.map(({ market, afterMs }) => {
      timeMs += afterMs;
      return trade(market, ids[market]!++, timeMs);
    });
  });

function keys(trades: readonly Trade[]): string[] {
  return [...new Set(trades.map(({ market, id }) => `${market}:${id}`))].sort();
}

test("TradeGate passes each trade of a good stream once, in order, at any replay speed", () => {
  fc.assert(
    fc.property(goodStream, (trades) => {
      const run = new Run().offerAll(trades).wait(5000);
      assert.deepEqual([...run.accepted].sort(), keys(trades));
      assert.deepEqual(run.rejected, []);
      for (const market of [0, 1, 2]) {
        const own = run.accepted.filter((key) => key.startsWith(`${market}:`));
        assert.deepEqual(
          own,
          trades.filter((one) => one.market === market).map(({ id }) => `${market}:${id}`),
        );
      }
      assert.equal(run.gate.missing, 0);
    }),
  );
});

test("TradeGate passes each distinct trade once when they come shuffled and more than once", () => {
  const shuffled = livelyStream.chain((trades) =>
    fc
      .array(fc.tuple(fc.nat(trades.length - 1), fc.nat(9)), { maxLength: 30 })
      .map((extra) => ({ trades, extra })),
  );
  fc.assert(
    fc.property(
      shuffled,
      fc.array(fc.nat(8), { minLength: 100, maxLength: 100 }),
      ({ trades, extra }, moves) => {
        const stream = [...trades, ...extra.map(([index]) => trades[index]!)];
        const order = stream.map((one, index) => ({ one, at: index + moves[index % moves.length]! }));
        order.sort((a, b) => a.at - b.at);
        const run = new Run().offerAll(order.map(({ one }) => one)).wait(5000);
        assert.deepEqual([...run.accepted].sort(), keys(trades));
        assert.deepEqual(run.rejected, []);
        assert.equal(run.gate.duplicates, extra.length);
      },
    ),
  );
});

test("TradeGate lets no single hostile trade change anything but its counter, wherever it comes", () => {
  const hostile = fc.constantFrom<(near: Trade) => [Trade, GateRejection[]]>(
    (near) => [
      { ...near, id: near.id + 50_000, timeMs: near.timeMs + HOUR_MS, eventMs: near.timeMs + HOUR_MS },
      ["time_jump"],
    ],
    (near) => [trade(near.market, near.id, near.timeMs + 9e11), ["time_jump"]],
    (near) => [trade(near.market, near.id, near.timeMs - 9e11), ["time_past"]],
    (near) => [trade(near.market, near.id + 20_000, near.timeMs - 3 * HOUR_MS), ["time_past"]],
    (near) => [trade(near.market, near.id + 1_000_000, near.timeMs), ["id_jump"]],
    (near) => [trade(near.market, Number.MAX_SAFE_INTEGER, near.timeMs), ["id_jump"]],
    (near) => [trade(near.market, 0, near.timeMs), ["stale_id"]],
    (near) => [trade(near.market, near.id - 200_000, near.timeMs), ["stale_id"]],
    (near) => [trade(near.market, near.id, near.timeMs, near.timeMs + 2 * HOUR_MS), ["time_skew"]],
  );
  fc.assert(
    fc.property(livelyStream, hostile, fc.double({ min: 0, max: 1, noNaN: true }), (trades, make, where) => {
      // Two more of each market, for a stream that goes on.
      const last = trades.at(-1)!;
      const tail = [0, 1, 2, 0, 1, 2].map((market, index) => {
        const own = trades.filter((one) => one.market === market);
        const id = (own.at(-1)?.id ?? [6_999_999, 499_999, 899_999_999][market]!) + 1 + Math.floor(index / 3);
        return trade(market, id, last.timeMs + index);
      });
      const stream = [...trades, ...tail];
      const position = Math.floor(where * trades.length);
      const [bad, reasons] = make(stream[position]!);
      const clean = new Run().offerAll(stream).wait(5000);
      const run = new Run()
        .offerAll([...stream.slice(0, position), bad, ...stream.slice(position)])
        .wait(5000);
      assert.deepEqual([...run.accepted].sort(), [...clean.accepted].sort());
      assert.deepEqual(run.rejected, reasons);
      assert.equal(run.gate.missing, clean.gate.missing);
      assert.equal(run.gate.newestMs, clean.gate.newestMs);
    }),
    { numRuns: 500 },
  );
});

test("TradeGate accepts a lone trade after a bounded wait, and is not moved by it", () => {
  const run = new Run().offerAll([trade(0, 1000, START_MS)]);
  assert.equal(run.accepted.length, 0);
  run.wait(1001);
  assert.deepEqual(run.accepted, ["0:1000"]);
  assert.equal(run.gate.newestMs, 0);
  run.offerAll([trade(0, 1001, START_MS + 10)]);
  assert.equal(run.gate.newestMs, START_MS + 10);
  assert.deepEqual(run.accepted, ["0:1000", "0:1001"]);
});

test("TradeGate goes on by the old clock if a trade that nothing spoke against in time proves false", () => {
  const run = new Run().offerAll([trade(0, 1, START_MS), trade(0, 2, START_MS + 1)]);
  run.offerAll([trade(0, 3, START_MS + 9e11)]).wait(300);
  assert.deepEqual(run.accepted, ["0:1", "0:2", "0:3"]);
  run.offerAll([trade(0, 4, START_MS + 400), trade(0, 5, START_MS + 401)]);
  assert.deepEqual(run.accepted, ["0:1", "0:2", "0:3", "0:4", "0:5"]);
  assert.equal(run.gate.newestMs, START_MS + 401);
});

test("TradeGate takes no copy of a trade that waits for a witness or has waited in vain", () => {
  const first = trade(0, 1, START_MS);
  const waiting = new Run().offerAll([first, first]).wait(1001);
  assert.deepEqual(waiting.accepted, ["0:1"]);
  assert.equal(waiting.gate.duplicates, 1);
  const waited = new Run().offerAll([first]).wait(1001).offerAll([first, first]).wait(1001);
  assert.deepEqual(waited.accepted, ["0:1"]);
  assert.equal(waited.gate.duplicates, 2);
});

test("TradeGate needs no witness for a trade after a quiet hour that the local clock has seen pass", () => {
  const run = new Run().offerAll([trade(0, 1, START_MS), trade(0, 2, START_MS + 1)]).wait(HOUR_MS);
  run.offerAll([trade(0, 3, START_MS + HOUR_MS)]);
  assert.deepEqual(run.accepted, ["0:1", "0:2", "0:3"]);
});

test("TradeGate counts the trades that are missing now", () => {
  const run = new Run(1).offerAll([10, 11, 15].map((id) => trade(0, id, START_MS)));
  assert.equal(run.gate.missing, 3);
  run.offerAll([trade(0, 12, START_MS)]);
  assert.equal(run.gate.missing, 2);
  run.offerAll([trade(0, 8, START_MS)]);
  assert.equal(run.gate.missing, 3);
});

test("TradeGate resumes after an outage of more ids than it takes for plausible", () => {
  const run = new Run(1).offerAll([1, 2].map((id) => trade(0, id, START_MS))).wait(HOUR_MS);
  run.offerAll([500_000, 500_001].map((id) => trade(0, id, START_MS + HOUR_MS)));
  assert.deepEqual(run.accepted, ["0:1", "0:2", "0:500000", "0:500001"]);
  assert.equal(run.gate.missing, 499_997);
});

test("TradeGate takes new numbers when two newer trades agree on them, and not for the sake of one", () => {
  const known = Array.from({ length: 50 }, (_, i) => trade(0, 1_000_000 + i, START_MS + i));
  const later = (id: number, afterMs: number) => trade(0, id, START_MS + afterMs);
  for (const first of [5, 1_000_010]) {
    const run = new Run(1).offerAll([...known, later(first, 20_000), later(1_000_050, 20_001)]);
    // The old numbers went on, so the first of these stands alone.
    run.offerAll([later(first + 1, 20_002), later(first + 2, 25_000)]);
    assert.deepEqual(run.rejected, ["stale_id", "stale_id", "stale_id"]);
    run.offerAll([later(first + 3, 31_000), later(first + 4, 31_001), later(first + 5, 31_002)]).wait(2_000);
    assert.deepEqual(run.accepted.slice(-2), [`0:${first + 4}`, `0:${first + 5}`]);
    assert.deepEqual([run.accepted.length, run.rejected.length, run.gate.missing], [53, 4, 0]);
  }
});

test("TradeGate counts no trade as a duplicate that is newer than all of its market", () => {
  const run = new Run(1).offerAll([1, 2, 3].map((id) => trade(0, id, START_MS + id)));
  run.offerAll([trade(0, 2, START_MS + 2), trade(0, 2, START_MS + 4)]);
  assert.deepEqual([run.gate.duplicates, run.rejected], [1, ["stale_id"]]);
});
