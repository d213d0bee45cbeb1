import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SequenceLedger } from "../../src/bus/sequence_ledger.ts";
import { createEpoch } from "../../src/wire/epoch.ts";

const REMEMBERED = 64;

const START_MS = Date.UTC(2026, 0, 1);
const ONE_S = 1_000;

/** An epoch that began some seconds after the reader. */
function epochAt(seconds: number): number {
  return createEpoch(START_MS + seconds * ONE_S);
}

test("observe() tells the next message, a duplicate and a gap", () => {
  const ledger = new SequenceLedger();
  const epoch = epochAt(-60);
  assert.deepEqual(ledger.observe(epoch, 5, START_MS), { kind: "epoch", missed: 0 });
  assert.deepEqual(ledger.observe(epoch, 6, START_MS), { kind: "next" });
  assert.deepEqual(ledger.observe(epoch, 6, START_MS), { kind: "duplicate" });
  assert.deepEqual(ledger.observe(epoch, 2, START_MS), { kind: "duplicate" });
  assert.deepEqual(ledger.observe(epoch, 10, START_MS), { kind: "gap", missed: 3 });
});

test("observe() counts what went before the first message of a life that began while it read", () => {
  const ledger = new SequenceLedger();
  const [before, later] = [epochAt(-60), epochAt(5)];
  ledger.observe(before, 900, START_MS);
  assert.deepEqual(ledger.observe(later, 4, START_MS), { kind: "epoch", missed: 3 });
  assert.deepEqual(ledger.observe(before, 901, START_MS), { kind: "next" });
});

test("observe() counts nothing of another publisher's life that went before the reader", () => {
  const ledger = new SequenceLedger();
  ledger.observe(epochAt(-60), 900, START_MS);
  assert.deepEqual(ledger.observe(epochAt(-30), 5_000, START_MS), { kind: "epoch", missed: 0 });
});

test("observe() forgets the life that was silent for longest, never one that talks", () => {
  const ledger = new SequenceLedger();
  const talker = epochAt(-60);
  ledger.observe(talker, 1, START_MS);
  const epochs = Array.from({ length: 3 * REMEMBERED }, (_, i) => epochAt(i));
  for (const [i, epoch] of epochs.entries()) {
    ledger.observe(epoch, 1, START_MS);
    assert.deepEqual(ledger.observe(talker, i + 2, START_MS), { kind: "next" });
  }
  assert.equal(ledger.observe(epochs[0]!, 2, START_MS).kind, "epoch");
});

test("observe() accounts for every message of lossy, repeating lives", () => {
  const fate = fc.constantFrom("delivered", "lost", "twice");
  const lives = fc.array(fc.array(fate, { minLength: 1, maxLength: 60 }), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(lives, (fates) => {
      const ledger = new SequenceLedger();
      // A first message that arrives anchors the first life.
      let published = 1;
      let received = ledger.observe(epochAt(-60), 1, START_MS).kind === "epoch" ? 1 : 0;
      let missed = 0;
      let unknownTail = 0;
      for (const [life, messages] of fates.entries()) {
        const epoch = epochAt(life);
        unknownTail += messages.length - 1 - messages.findLastIndex((each) => each !== "lost");
        for (const [index, each] of messages.entries()) {
          published++;
          if (each === "lost") continue;
          const news = ledger.observe(epoch, index + 1, START_MS);
          assert.notEqual(news.kind, "duplicate");
          received++;
          if (news.kind === "gap" || news.kind === "epoch") missed += news.missed;
          if (each === "twice")
            assert.deepEqual(ledger.observe(epoch, index + 1, START_MS), { kind: "duplicate" });
        }
      }
      assert.equal(received + missed + unknownTail, published);
    }),
  );
});
