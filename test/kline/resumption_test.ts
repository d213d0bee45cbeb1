import assert from "node:assert/strict";
import { test } from "node:test";
import { Resumption } from "../../src/kline/resumption.ts";

const EPOCH = 7;
const resumption = () =>
  new Resumption(
    new Map([
      ["BTC-USDT", new Map([[EPOCH, 10]])],
      ["ETH-USDT", new Map([[EPOCH, 14]])],
    ]),
  );

test("Resumption.knows() tells which markets have a message, and that one without a snapshot has none", () => {
  const knows = resumption().knows(EPOCH, 12)!;
  assert.deepEqual(["BTC-USDT", "ETH-USDT", "ADA-USDT"].map(knows), [false, true, false]);
  assert.equal(resumption().knows(EPOCH, 15), undefined);
  assert.equal(resumption().knows(EPOCH + 1, 1), undefined);
});

test("Resumption.missedBefore() counts what the stream does not hold any more", () => {
  assert.equal(resumption().missedBefore(EPOCH, 5), 0);
  assert.equal(resumption().missedBefore(EPOCH, 11), 0);
  assert.equal(resumption().missedBefore(EPOCH, 13), 2);
  assert.equal(resumption().missedBefore(EPOCH + 1, 13), undefined);
});

test("Resumption.positionsOf() never falls behind the snapshot while the stream is read again", () => {
  const read = new Map([
    [EPOCH, 12],
    [EPOCH + 1, 3],
  ]);
  assert.deepEqual(
    [...resumption().positionsOf("ETH-USDT", read)],
    [
      [EPOCH, 14],
      [EPOCH + 1, 3],
    ],
  );
  assert.deepEqual([...resumption().positionsOf("ADA-USDT", read)], [...read]);
});
