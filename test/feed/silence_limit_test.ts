import assert from "node:assert/strict";
import { test } from "node:test";
import { SilenceLimit } from "../../src/feed/silence_limit.ts";

test("SilenceLimit cuts at its base first, then ever later, but never beyond a cap", () => {
  const limit = new SilenceLimit(1000);
  assert.equal(limit.isExceeded(1000, 0), false);
  assert.equal(limit.isExceeded(1001, 0), true);
  assert.equal(limit.isExceeded(1001, 0), false);
  assert.equal(limit.isExceeded(2001, 0), true);
  for (let cut = 0; cut < 20; cut++) limit.isExceeded(1e9, 0);
  assert.equal(limit.limitMs, 32_000);
});

test("SilenceLimit comes back to its base once the feed has been lively for a while", () => {
  const limit = new SilenceLimit(1000);
  limit.isExceeded(1001, 0);
  assert.equal(limit.limitMs, 2000);
  for (let nowMs = 0; nowMs <= 8000; nowMs += 100) limit.isExceeded(10, nowMs);
  assert.equal(limit.limitMs, 2000);
  limit.isExceeded(10, 8100);
  assert.equal(limit.limitMs, 1000);
});

test("SilenceLimit does not come back while the feed keeps falling silent", () => {
  const limit = new SilenceLimit(1000);
  limit.isExceeded(1001, 0);
  for (let nowMs = 0; nowMs < 100_000; nowMs += 3000) {
    limit.isExceeded(10, nowMs);
    assert.equal(limit.isExceeded(1500, nowMs + 1500), false);
  }
  assert.equal(limit.limitMs, 2000);
});
