import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Account,
  addByStage,
  byCause,
  sumOf,
  totalUnexplained,
  unexplainedIn,
} from "../../src/observe/account.ts";
import { Tally } from "../../src/observe/tally.ts";

const lines = fc.dictionary(fc.constantFrom("a", "b", "dropped:x", "dropped:y"), fc.nat(1_000), {
  noNullPrototype: true,
});
const account: fc.Arbitrary<Account> = fc.record(
  {
    stage: fc.constantFrom("ingest", "kline", "candles"),
    unit: fc.constant("ticks" as const),
    came: lines,
    became: lines,
    beside: lines,
  },
  { noNullPrototype: true },
);

test("unexplainedIn() is what came and is in no line, with a sign", () => {
  const base = { stage: "kline", unit: "ticks", beside: { lost: 7 } } as const;
  assert.equal(unexplainedIn({ ...base, came: { read: 10 }, became: { accepted: 6, late: 4 } }), 0);
  assert.equal(unexplainedIn({ ...base, came: { read: 10 }, became: { accepted: 6 } }), 4);
  assert.equal(unexplainedIn({ ...base, came: { read: 1 }, became: { accepted: 6 } }), -5);
});

test("totalUnexplained() lets no account make up for another", () => {
  const base = { stage: "kline", unit: "ticks", beside: {} } as const;
  const accounts = [
    { ...base, came: { read: 10 }, became: { accepted: 7 } },
    { ...base, came: { read: 7 }, became: { accepted: 10 } },
  ];
  assert.equal(totalUnexplained(accounts), 6);
});

test("addByStage() loses nothing of any line", () => {
  fc.assert(
    fc.property(fc.array(account), (accounts) => {
      const stages = addByStage(accounts);
      assert.equal(stages.length, new Set(accounts.map(({ stage }) => stage)).size);
      for (const stage of stages) {
        const own = accounts.filter((each) => each.stage === stage.stage);
        for (const side of ["came", "became", "beside"] as const) {
          assert.equal(
            sumOf(stage[side]),
            own.reduce((sum, each) => sum + sumOf(each[side]), 0),
          );
          for (const line of Object.keys(stage[side])) {
            assert.equal(
              stage[side][line],
              own.reduce((sum, each) => sum + (each[side][line] ?? 0), 0),
            );
          }
        }
      }
    }),
  );
});

test("byCause() makes a line of each cause", () => {
  const tally = new Tally();
  tally.add("timeout", 3);
  tally.add("rejected:10077");
  assert.deepEqual(byCause("dropped", tally), { "dropped:timeout": 3, "dropped:rejected:10077": 1 });
});
