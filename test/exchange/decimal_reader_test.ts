import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DecimalReader } from "../../src/exchange/decimal_reader.ts";

const reader = new DecimalReader();

test("DecimalReader.read() finds value and decimals of what venues send", () => {
  const cases: [string, number, number][] = [
    ["61837.63000000", 61837.63, 2],
    ["0.02000000", 0.02, 2],
    ["0.00000001", 0.00000001, 8],
    ["100", 100, 0],
    ["100.00", 100, 0],
    ["00012.50", 12.5, 1],
    ["123456789012345", 123456789012345, 0],
    ["0.000000123456789012345", 0.000000123456789012345, 21],
  ];
  for (const [text, value, decimals] of cases) {
    assert.equal(reader.read(text), undefined, text);
    assert.equal(reader.value, value);
    assert.equal(reader.decimals, decimals);
  }
});

test("DecimalReader.read() refuses what is not a positive plain decimal", () => {
  const texts = [
    "",
    ".",
    "1.",
    ".5",
    "0",
    "0.000",
    "-1",
    "+1",
    "1e3",
    "1e400",
    "1.2.3",
    "NaN",
    "Infinity",
    " 1",
    "1 ",
  ];
  for (const text of [...texts, "1,5", "0x10", "１", "1".repeat(49), "1".padEnd(16, "0")]) {
    assert.equal(reader.read(text), "malformed", text);
  }
});

test("DecimalReader.read() refuses decimals that a double does not carry exactly", () => {
  for (const text of [
    "1234567890.123456",
    "1234567890123456",
    "0.1234567890123456",
    "0.00000000000000000000001",
  ]) {
    assert.equal(reader.read(text), "imprecise", text);
  }
});

test("DecimalReader.read() accepts every decimal of at most 15 digits, so that its text survives", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 999_999_999_999_999 }),
      fc.nat(15),
      fc.nat(4),
      (digits, places, zeros) => {
        const padded = String(digits).padStart(places + 1, "0");
        const point = padded.length - places;
        const text =
          places === 0 ? padded : `${padded.slice(0, point)}.${padded.slice(point)}${"0".repeat(zeros)}`;
        assert.equal(reader.read(text), undefined, text);
        assert.equal(
          BigInt(Math.round(reader.value * 10 ** reader.decimals)) * 10n ** BigInt(places - reader.decimals),
          BigInt(digits),
        );
      },
    ),
  );
});
