import assert from "node:assert/strict";
import { test } from "node:test";
import { Fence } from "../../src/persist/fence.ts";

test("Fence.isPast() keeps out a past owner of a shard, and nobody of another or with a fixed share", () => {
  const fence = new Fence();
  assert.equal(fence.isPast(1, 5), false);
  assert.equal(fence.isPast(1, 5), false);
  assert.equal(fence.isPast(1, 9), false);
  assert.equal(fence.isPast(1, 5), true);
  assert.equal(fence.isPast(2, 5), false);
  assert.equal(fence.isPast(1, 0), false);
  assert.equal(fence.isPast(1, 9), false);
});
