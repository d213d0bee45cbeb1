import assert from "node:assert/strict";
import { test } from "node:test";
import { Resumption } from "../../src/kline/resumption.ts";

const EPOCH = 7;
const resumption = () =>
  new Resumption(
    new Map([
      ["BTC-USDT", new Map([[EPOCH, { seq: 10, ticks: 100 }]])],
      ["ETH-USDT", new Map([[EPOCH, { seq: 14, ticks: 140 }]])],
    ]),
  );

test("Resumption.knows() tells which markets have a message, and that one without a snapshot has none", () => {
  const knows = resumption().knows(EPOCH, 12)!;
  assert.deepEqual(["BTC-USDT", "ETH-USDT", "ADA-USDT"].map(knows), [false, true, false]);
  assert.equal(resumption().knows(EPOCH, 15), undefined);
  assert.equal(resumption().knows(EPOCH + 1, 1), undefined);
});

test("Resumption.common is up to where all markets have the messages", () => {
  assert.deepEqual([...resumption().common], [[EPOCH, { seq: 10, ticks: 100 }]]);
});

test("Resumption.positionsOf() never falls behind the snapshot while the stream is read again", () => {
  const read = new Map([
    [EPOCH, { seq: 12, ticks: 120 }],
    [EPOCH + 1, { seq: 3, ticks: 30 }],
  ]);
  assert.deepEqual(
    [...resumption().positionsOf("ETH-USDT", read)],
    [
      [EPOCH, { seq: 14, ticks: 140 }],
      [EPOCH + 1, { seq: 3, ticks: 30 }],
    ],
  );
  assert.deepEqual([...resumption().positionsOf("ADA-USDT", read)], [...read]);
});
