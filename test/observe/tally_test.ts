import assert from "node:assert/strict";
import { test } from "node:test";
import { Tally } from "../../src/observe/tally.ts";

test("Tally counts by cause and in all", () => {
  const tally = new Tally();
  assert.equal(tally.get("never"), 0);
  assert.equal(tally.total, 0);
  tally.add("late");
  tally.add("bad", 3);
  tally.add("late", 2);
  assert.equal(tally.get("late"), 3);
  assert.equal(tally.get("bad"), 3);
  assert.equal(tally.total, 6);
  assert.deepEqual(
    [...tally.entries()],
    [
      ["late", 3],
      ["bad", 3],
    ],
  );
});

test("Tally takes any name for a cause", () => {
  const tally = new Tally();
  for (const cause of ["__proto__", "constructor", ""]) tally.add(cause);
  assert.equal(tally.get("__proto__"), 1);
  assert.equal(tally.get("toString"), 0);
  assert.equal(tally.total, 3);
});
