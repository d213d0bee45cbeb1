import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { IdRanges } from "../../src/market/id_ranges.ts";

test("IdRanges agrees with a plain set whatever the order", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 200 }), (ids) => {
      const ranges = new IdRanges();
      const known = new Set<number>();
      for (const id of ids) {
        assert.equal(ranges.add(id), known.has(id) ? "duplicate" : "new");
        known.add(id);
        assert.equal(ranges.first, Math.min(...known));
        assert.equal(ranges.last, Math.max(...known));
        assert.equal(ranges.missing, ranges.last - ranges.first + 1 - known.size);
      }
      for (let id = -1; id <= 61; id++) assert.equal(ranges.has(id), known.has(id));
    }),
  );
});

test("IdRanges.add() keeps one range while ids are consecutive", () => {
  const ranges = new IdRanges();
  for (let id = 5; id < 5000; id++) ranges.add(id);
  assert.equal(ranges.ranges, 1);
  assert.equal(ranges.missing, 0);
});

test("IdRanges.add() joins the two ranges beside a hole that is filled", () => {
  const ranges = new IdRanges();
  for (const id of [1, 2, 4, 5]) ranges.add(id);
  assert.equal(ranges.ranges, 2);
  assert.equal(ranges.add(3), "new");
  assert.equal(ranges.ranges, 1);
  assert.equal(ranges.missing, 0);
});

test("IdRanges.add() never takes an id twice when it forgets the lowest hole, and still counts it as missing", () => {
  const ranges = new IdRanges(2);
  for (const id of [10, 20, 30]) ranges.add(id);
  assert.equal(ranges.ranges, 2);
  assert.equal(ranges.add(15), "duplicate");
  assert.equal(ranges.add(10), "duplicate");
  assert.equal(ranges.add(25), "new");
  assert.equal(ranges.missing, 17);
  assert.ok(ranges.ranges <= 2);
});

test("IdRanges is empty at first", () => {
  const ranges = new IdRanges();
  assert.equal(ranges.has(0), false);
  assert.ok(Number.isNaN(ranges.first) && Number.isNaN(ranges.last));
  assert.equal(ranges.missing, 0);
});
