import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../../src/simulator/random.ts";

function draw<T>(count: number, next: () => T): T[] {
  return Array.from({ length: count }, next);
}

test("Random gives what its seed determines, and other seeds something else", () => {
  const seeds = [0, 1, 2, -1, 2 ** 32, 2 ** 32 + 1, 4_294_967_295_000];
  const sequences = seeds.map((seed) => {
    const random = new Random(seed);
    return draw(4, () => random.uniform()).join();
  });
  assert.equal(new Set(sequences).size, seeds.length);
  const again = new Random(1);
  assert.equal(draw(4, () => again.uniform()).join(), sequences[1]);
});

test("Random is even over its ranges", () => {
  const random = new Random(7);
  const dice = draw(60_000, () => random.integer(1, 6));
  for (let face = 1; face <= 6; face++) {
    const count = dice.filter((value) => value === face).length;
    assert.ok(Math.abs(count - 10_000) < 500, `${count} times ${face}`);
  }
  assert.ok(dice.every((value) => Number.isInteger(value) && value >= 1 && value <= 6));
  const uniform = draw(60_000, () => random.uniform());
  assert.ok(uniform.every((value) => value >= 0 && value < 1));
  const waits = draw(60_000, () => random.exponential(4));
  const mean = waits.reduce((sum, value) => sum + value, 0) / waits.length;
  assert.ok(Math.abs(mean - 4) < 0.1 && waits.every((value) => value >= 0 && Number.isFinite(value)));
});
