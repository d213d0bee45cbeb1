import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "../../src/actor/backoff.ts";

test("nextMs() doubles up to the cap", () => {
  const backoff = new Backoff({ minMs: 250, maxMs: 3_000, random: () => 1 });
  const delays = Array.from({ length: 6 }, () => backoff.nextMs());
  assert.deepEqual(delays, [250, 500, 1_000, 2_000, 3_000, 3_000]);
});

test("nextMs() spreads delays from half to all", () => {
  assert.equal(new Backoff({ minMs: 100, random: () => 0 }).nextMs(), 50);
  assert.equal(new Backoff({ minMs: 100, random: () => 0.5 }).nextMs(), 75);
});

test("nextMs() stays at the cap after any number of failures", () => {
  const backoff = new Backoff({ random: () => 1 });
  for (let i = 0; i < 2_000; i++) backoff.nextMs();
  assert.equal(backoff.nextMs(), 30_000);
});

test("reset() starts again at the shortest delay", () => {
  const backoff = new Backoff({ minMs: 10, random: () => 1 });
  backoff.nextMs();
  backoff.nextMs();
  backoff.reset();
  assert.equal(backoff.nextMs(), 10);
});
