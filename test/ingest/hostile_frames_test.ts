import assert from "node:assert/strict";
import { test } from "node:test";
import { createBinanceExchange } from "../../src/exchange/binance.ts";
import { TradeGate } from "../../src/ingest/trade_gate.ts";
import { parseMarket } from "../../src/market/market.ts";
import { hostileFrames, seededRandom, tradeFrame } from "./hostile_frames.ts";

const MAX_FRAME_LENGTH = 65_536;

for (const seed of [1, 2, 3]) {
  test(`reader and gate count every hostile frame under its reason and pass every good trade, seed ${seed}`, () => {
    const reader = createBinanceExchange().createReader([parseMarket("binance:BTC-USDT")]);
    const random = seededRandom(seed);
    const sample = { symbol: "BTCUSDT", id: 3_735_683_259, timeMs: 1_723_161_255_342 };
    const hostile = hostileFrames(seed, sample);
    assert.ok(hostile.length >= 300, `${hostile.length} frames`);
    const accepted: number[] = [];
    const counted: string[] = [];
    const gate = new TradeGate({
      markets: 1,
      latenessMs: 300_000,
      accept: ({ id }) => accepted.push(id),
      reject: (reason) => counted.push(reason),
    });
    let nowMs = 0;
    const offer = (frame: string): void => {
      const kind = reader.read(frame);
      if (kind === "trade") gate.offer({ ...reader.trade, receivedMs: ++nowMs });
      else counted.push(kind === "rejected" ? reader.reason : kind);
    };
    let id = sample.id;
    const expected: string[] = [];
    const good = (): void =>
      offer(tradeFrame({ ...sample, id: id++, timeMs: sample.timeMs + id - sample.id }));
    good();
    for (const { frame, reason } of hostile) {
      // The socket decides these two by type and length.
      if (typeof frame !== "string" || frame.length > MAX_FRAME_LENGTH) {
        assert.equal(reason, typeof frame === "string" ? "oversized" : "binary");
        continue;
      }
      const before = counted.length;
      expected.push(reason);
      offer(frame);
      good();
      if (random() < 0.3) good();
      assert.deepEqual(counted.slice(before), [reason], frame.slice(0, 300));
    }
    gate.expire(nowMs + 10_000);
    assert.deepEqual(counted, expected);
    assert.deepEqual(
      accepted,
      Array.from({ length: id - sample.id }, (_, index) => sample.id + index),
    );
    assert.equal(gate.missing, 0);
    assert.equal(gate.duplicates, 0);
  });
}
