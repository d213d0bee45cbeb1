import assert from "node:assert/strict";
import { test } from "node:test";
import { Completeness } from "../../src/kline/completeness.ts";

test("Completeness.doubt() leaves certain what lies before the newest trade", () => {
  const completeness = new Completeness();
  completeness.extend(1, 1_000);
  completeness.extend(2, 2_000);
  completeness.doubt(1_500);
  assert.equal(completeness.judge(1_001, 2_000, undefined).complete, true);
  assert.equal(completeness.judge(2_000, 2_001, undefined).complete, false);
});

test("Completeness.note() reveals everything since the doubt when the next trade follows", () => {
  const completeness = new Completeness();
  completeness.extend(1, 1_000);
  completeness.extend(2, 2_000);
  completeness.doubt(2_500);
  assert.deepEqual(completeness.note(3, 3_000), [{ fromMs: 2_500, toMs: 3_000, flatsToMs: 3_000 }]);
  assert.equal(completeness.judge(2_000, 4_000, undefined).complete, true);
});

test("Completeness.note() puts a hole in the place of the doubt when ids are skipped", () => {
  const completeness = new Completeness();
  completeness.extend(1, 1_000);
  completeness.extend(2, 2_000);
  completeness.doubt(1_500);
  assert.deepEqual(completeness.note(4, 3_000), [{ fromMs: 2_000, toMs: 3_000, flatsToMs: 2_000 }]);
  assert.equal(completeness.judge(1_001, 2_000, undefined).complete, true);
  assert.deepEqual(completeness.judge(2_000, 4_000, undefined), { missing: 1, complete: false });
});

test("Completeness.note() leaves candles without trades in doubt beside a hole", () => {
  const completeness = new Completeness();
  completeness.extend(1, 1_000);
  completeness.doubt(2_500);
  assert.deepEqual(completeness.note(4, 5_000), [{ fromMs: 1_000, toMs: 5_000, flatsToMs: 2_500 }]);
  assert.deepEqual(completeness.note(2, 3_000), [
    { fromMs: 1_000, toMs: 3_000, flatsToMs: 3_000 },
    { fromMs: 3_000, toMs: 5_000, flatsToMs: Number.NEGATIVE_INFINITY },
  ]);
  assert.equal(completeness.note(2, 3_000), undefined);
});
