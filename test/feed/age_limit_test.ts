import assert from "node:assert/strict";
import { test } from "node:test";
import { AgeLimit } from "../../src/feed/age_limit.ts";

/** Trades that come at a steady pace, one a ms, until one of them makes the limit say that it is exceeded. */
function exceededAfterMs(limit: AgeLimit, lagOf: (ms: number) => number, endMs: number): number | undefined {
  for (let ms = 0; ms < endMs; ms++) if (limit.isExceededBy(lagOf(ms), ms)) return ms;
  return undefined;
}

test("AgeLimit is exceeded once trades are older than the limit, whatever the venue's clock shows", () => {
  for (const clocksDifferByMs of [-3_600_000, -5, 0, 90_000]) {
    // A tenth more comes than is read.
    const exceededMs = exceededAfterMs(new AgeLimit(2_000), (ms) => clocksDifferByMs + ms / 10, 60_000);
    assert.ok(exceededMs !== undefined && exceededMs >= 20_000 && exceededMs < 20_500, `${exceededMs}`);
  }
});

test("AgeLimit lets clocks drift apart, for days, and single trades tell any time", () => {
  const limit = new AgeLimit(2_000);
  const dayMs = 86_400_000;
  for (let ms = 0; ms < 3 * dayMs; ms += 10_000) {
    const untrueByMs = ms % 500_000 === 0 ? -50_000 : ms % 700_000 === 0 ? 60_000 : 0;
    assert.equal(limit.isExceededBy(30 + ms * 5e-5 + untrueByMs, ms), false, `${ms}`);
  }
});

test("AgeLimit of 0 is never exceeded", () => {
  assert.equal(
    exceededAfterMs(new AgeLimit(0), (ms) => ms, 10_000),
    undefined,
  );
});
