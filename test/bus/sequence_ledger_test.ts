import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SequenceLedger } from "../../src/bus/sequence_ledger.ts";

const REMEMBERED = 64;

test("observe() tells the next message, a duplicate and a gap", () => {
  const ledger = new SequenceLedger();
  assert.deepEqual(ledger.observe(1, 5), { kind: "epoch", missed: 0 });
  assert.deepEqual(ledger.observe(1, 6), { kind: "next" });
  assert.deepEqual(ledger.observe(1, 6), { kind: "duplicate" });
  assert.deepEqual(ledger.observe(1, 2), { kind: "duplicate" });
  assert.deepEqual(ledger.observe(1, 10), { kind: "gap", missed: 3 });
});

test("observe() counts what went before the first message of a later life", () => {
  const ledger = new SequenceLedger();
  ledger.observe(1, 900);
  assert.deepEqual(ledger.observe(2, 4), { kind: "epoch", missed: 3 });
  assert.deepEqual(ledger.observe(1, 901), { kind: "next" });
});

test("observe() forgets the life that was silent for longest, never one that talks", () => {
  const ledger = new SequenceLedger();
  ledger.observe(0, 1);
  for (let epoch = 1; epoch <= 3 * REMEMBERED; epoch++) {
    ledger.observe(epoch, 1);
    assert.deepEqual(ledger.observe(0, epoch + 1), { kind: "next" });
  }
  assert.equal(ledger.observe(1, 2).kind, "epoch");
});

test("observe() accounts for every message of lossy, repeating lives", () => {
  const fate = fc.constantFrom("delivered", "lost", "twice");
  const lives = fc.array(fc.array(fate, { minLength: 1, maxLength: 60 }), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(lives, (fates) => {
      const ledger = new SequenceLedger();
      // A first message that arrives anchors the first life.
      let published = 1;
      let received = ledger.observe(1_000, 1).kind === "epoch" ? 1 : 0;
      let missed = 0;
      let unknownTail = 0;
      for (const [life, messages] of fates.entries()) {
        unknownTail += messages.length - 1 - messages.findLastIndex((each) => each !== "lost");
        for (const [index, each] of messages.entries()) {
          published++;
          if (each === "lost") continue;
          const news = ledger.observe(2_000 + life, index + 1);
          assert.notEqual(news.kind, "duplicate");
          received++;
          if (news.kind === "gap" || news.kind === "epoch") missed += news.missed;
          if (each === "twice")
            assert.deepEqual(ledger.observe(2_000 + life, index + 1), { kind: "duplicate" });
        }
      }
      assert.equal(received + missed + unknownTail, published);
    }),
  );
});
