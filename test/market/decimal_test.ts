import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatDecimal, formatUnits, toBigUnits, toUnits } from "../../src/market/decimal.ts";

/** Decimals of at most 15 significant digits, which is what a double carries. */
const decimal = fc
  .tuple(fc.bigInt({ min: 1n, max: 10n ** 15n - 1n }), fc.integer({ min: 0, max: 15 }))
  .map(([units, decimals]) => ({ units, decimals, text: plain(units, decimals) }));

function plain(units: bigint, decimals: number): string {
  const digits = units.toString().padStart(decimals + 1, "0");
  return decimals === 0 ? digits : `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

test("toBigUnits() and formatUnits() give back every decimal that a double carries", () => {
  fc.assert(
    fc.property(decimal, ({ units, decimals, text }) => {
      assert.equal(toBigUnits(Number(text), decimals), units);
      assert.equal(Number(formatUnits(units, decimals)), Number(text));
    }),
    { numRuns: 1_000 },
  );
});

test("toUnits() is exact, or says that it cannot be", () => {
  fc.assert(
    fc.property(decimal, ({ units, decimals, text }) => {
      const number = toUnits(Number(text), decimals);
      assert.ok(Number.isNaN(number) || BigInt(number) === units, `${text} became ${number}`);
      if (units < 2n ** 50n) assert.equal(BigInt(number), units);
    }),
    { numRuns: 1_000 },
  );
});

test("formatUnits() writes plain text without trailing zeros", () => {
  assert.equal(formatUnits(123400n, 4), "12.34");
  assert.equal(formatUnits(120000n, 4), "12");
  assert.equal(formatUnits(5, 8), "0.00000005");
  assert.equal(formatUnits(0n, 8), "0");
  assert.equal(formatUnits(10n ** 40n, 8), `1${"0".repeat(32)}`);
});

test("formatDecimal() never uses an exponent", () => {
  assert.equal(formatDecimal(1e-7), "0.0000001");
  assert.equal(formatDecimal(1.5e21), "1500000000000000000000");
  assert.equal(formatDecimal(0.00001234), "0.00001234");
  assert.equal(formatDecimal(61698.02), "61698.02");
});
