import assert from "node:assert/strict";
import { test } from "node:test";
import { LagHistogram } from "../../src/observe/lag_histogram.ts";
import { Random } from "../../src/simulator/random.ts";

const SHARES = [0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1];

/** The lag that a share of all did not exceed. */
function exactQuantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length - 1e-9) - 1)]!;
}

function assertClose(actual: number, expected: number, what: string): void {
  assert.ok(
    actual >= expected * (1 - 1e-9) && actual <= expected * 1.05 + 0.01,
    `${what}: ${actual} for ${expected}`,
  );
}

test("LagHistogram tells quantiles at most 5 % too high, and never too low", () => {
  const random = new Random(1);
  const shapes: Record<string, () => number> = {
    even: () => random.uniform() * 1_000,
    exponential: () => random.exponential(3),
    "of many magnitudes": () => 0.02 * 10 ** (random.uniform() * 7),
    constant: () => 42,
  };
  for (const [name, draw] of Object.entries(shapes)) {
    const histogram = new LagHistogram();
    const lags = Array.from({ length: 9_973 }, draw);
    for (const lag of lags) histogram.add(lag);
    lags.sort((a, b) => a - b);
    for (const share of SHARES) {
      assertClose(histogram.quantileMs(share), exactQuantile(lags, share), `${name}, share ${share}`);
    }
    assert.equal(histogram.count, lags.length);
    assert.equal(histogram.maxMs, lags.at(-1));
    assert.equal(histogram.quantileMs(1), histogram.maxMs);
  }
});

test("LagHistogram weighs a lag by the ticks that had it", () => {
  const histogram = new LagHistogram();
  histogram.add(1, 900);
  histogram.add(50, 99);
  histogram.add(700);
  assert.equal(histogram.count, 1_000);
  assertClose(histogram.quantileMs(0.9), 1, "0.9");
  assertClose(histogram.quantileMs(0.99), 50, "0.99");
  assertClose(histogram.quantileMs(0.9995), 700, "0.9995");
  assert.equal(histogram.sumMs, 900 + 99 * 50 + 700);
});

test("LagHistogram takes lags of any size", () => {
  const histogram = new LagHistogram();
  assert.equal(histogram.quantileMs(0.99), 0);
  for (const lag of [-5_000, 0, 0.001]) histogram.add(lag);
  assert.ok(histogram.quantileMs(1) <= 0.01);
  histogram.add(86_400_000);
  assert.equal(histogram.count, 4);
  assert.equal(histogram.maxMs, 86_400_000);
  assert.ok(histogram.quantileMs(1) > 1_000_000);
  assert.ok(histogram.quantileMs(0.75) <= 0.01);
});

test("LagHistogram merges and forgets", () => {
  const random = new Random(2);
  const [all, one, two] = [new LagHistogram(), new LagHistogram(), new LagHistogram()];
  for (let i = 0; i < 2_000; i++) {
    const lag = random.exponential(10);
    all.add(lag);
    (i % 3 === 0 ? one : two).add(lag);
  }
  one.merge(two);
  for (const share of SHARES) assert.equal(one.quantileMs(share), all.quantileMs(share));
  assert.equal(one.count, all.count);
  assert.equal(one.maxMs, all.maxMs);
  assert.ok(Math.abs(one.sumMs - all.sumMs) < 1e-6 * all.sumMs);
  one.reset();
  assert.deepEqual([one.count, one.maxMs, one.sumMs, one.quantileMs(0.5)], [0, 0, 0, 0]);
  one.add(3);
  assert.equal(one.quantileMs(0.5), 3);
});

test("LagHistogram counts the ticks below a limit, at most those of 5 % less left out", () => {
  const random = new Random(3);
  const histogram = new LagHistogram();
  const lags = Array.from({ length: 5_000 }, () => random.exponential(20));
  for (const lag of lags) histogram.add(lag);
  let before = 0;
  for (const limitMs of [0.01, 1, 10, 50, 250, 1_000]) {
    const count = histogram.countUpTo(limitMs);
    const atMost = lags.filter((lag) => lag <= limitMs).length;
    const atLeast = lags.filter((lag) => lag <= limitMs / 1.05).length;
    assert.ok(count >= atLeast && count <= atMost, `${count} up to ${limitMs} ms`);
    assert.ok(count >= before);
    before = count;
  }
});
