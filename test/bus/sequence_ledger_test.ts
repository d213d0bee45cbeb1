import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type NumberedMessage, SequenceLedger } from "../../src/bus/sequence_ledger.ts";
import { createEpoch, startOfEpochMs } from "../../src/wire/epoch.ts";

const REMEMBERED = 64;

const START_MS = Date.UTC(2026, 0, 1);
const ONE_S = 1_000;

/** A message sent as the reader began; with ticks where it says how many it holds, and how many were before. */
function numbered(epoch: number, seq: number, ticks?: { before: number; held: number }): NumberedMessage {
  const length = ticks?.held ?? 0;
  return { epoch, seq, sentMs: START_MS, ticks: { length }, ticksBefore: ticks?.before };
}

/** An epoch that began some seconds after the reader. */
function epochAt(seconds: number): number {
  return createEpoch(START_MS + seconds * ONE_S);
}

test("observe() tells the next message, a duplicate and a gap", () => {
  const ledger = new SequenceLedger();
  const epoch = epochAt(-60);
  assert.deepEqual(ledger.observe(numbered(epoch, 5)), { kind: "epoch", missed: 0, missedTicks: 0 });
  assert.deepEqual(ledger.observe(numbered(epoch, 6)), { kind: "next" });
  assert.deepEqual(ledger.observe(numbered(epoch, 6)), { kind: "duplicate" });
  assert.deepEqual(ledger.observe(numbered(epoch, 2)), { kind: "duplicate" });
  assert.deepEqual(ledger.observe(numbered(epoch, 10)), { kind: "gap", missed: 3, missedTicks: undefined });
});

test("observe() counts what went before the first message of a life that began while it read", () => {
  const ledger = new SequenceLedger();
  const [before, later] = [epochAt(-60), epochAt(5)];
  ledger.observe(numbered(before, 900));
  assert.deepEqual(ledger.observe(numbered(later, 4)), { kind: "epoch", missed: 3, missedTicks: undefined });
  assert.deepEqual(ledger.observe(numbered(before, 901)), { kind: "next" });
});

test("observe() counts the ticks in lost messages where publishers number them", () => {
  const ledger = new SequenceLedger();
  const [before, later] = [epochAt(-60), epochAt(5)];
  assert.deepEqual(ledger.observe(numbered(before, 5, { before: 40, held: 10 })), {
    kind: "epoch",
    missed: 0,
    missedTicks: 0,
  });
  assert.deepEqual(ledger.observe(numbered(before, 8, { before: 57, held: 3 })), {
    kind: "gap",
    missed: 2,
    missedTicks: 7,
  });
  // Two heartbeats are lost, and nothing with them.
  assert.deepEqual(ledger.observe(numbered(before, 11, { before: 60, held: 0 })), {
    kind: "gap",
    missed: 2,
    missedTicks: 0,
  });
  assert.deepEqual(ledger.observe(numbered(later, 3, { before: 21, held: 1 })), {
    kind: "epoch",
    missed: 2,
    missedTicks: 21,
  });
  assert.deepEqual(
    [...ledger.lives()],
    [
      { epoch: before, from: 40, taken: 13, lost: 7, to: 60 },
      { epoch: later, from: 0, taken: 1, lost: 21, to: 22 },
    ],
  );
});

test("observe() counts what is lost since the positions that it goes on from", () => {
  const ledger = new SequenceLedger();
  const [whole, torn, unknown] = [epochAt(-60), epochAt(-50), epochAt(-40)];
  ledger.beginAt(
    START_MS,
    new Map([
      [whole, { seq: 10, ticks: 100 }],
      [torn, { seq: 10, ticks: 100 }],
      [unknown, { seq: 10, ticks: undefined }],
    ]),
  );
  const observe = (epoch: number, seq: number) =>
    ledger.observe(numbered(epoch, seq, { before: 10 * (seq - 1), held: 10 }));
  assert.deepEqual(observe(whole, 4), { kind: "epoch", missed: 0, missedTicks: 0 });
  assert.deepEqual(observe(torn, 13), { kind: "epoch", missed: 2, missedTicks: 20 });
  assert.deepEqual(observe(unknown, 13), { kind: "epoch", missed: 2, missedTicks: undefined });
  assert.deepEqual(
    [...ledger.lives()],
    [
      { epoch: whole, from: 30, taken: 10, lost: 0, to: 40 },
      { epoch: torn, from: 100, taken: 10, lost: 20, to: 130 },
    ],
  );
});

test("observe() knows of no life's ticks once a message did not say what was before", () => {
  const ledger = new SequenceLedger();
  const epoch = epochAt(-60);
  ledger.observe(numbered(epoch, 1, { before: 0, held: 5 }));
  ledger.observe(numbered(epoch, 2));
  const news = ledger.observe(numbered(epoch, 4, { before: 9, held: 1 }));
  assert.deepEqual(news, { kind: "gap", missed: 1, missedTicks: undefined });
  assert.deepEqual([...ledger.lives()], []);
});

test("observe() counts nothing of another publisher's life that went before the reader", () => {
  const ledger = new SequenceLedger();
  ledger.observe(numbered(epochAt(-60), 900));
  assert.deepEqual(ledger.observe(numbered(epochAt(-30), 5_000)), {
    kind: "epoch",
    missed: 0,
    missedTicks: 0,
  });
});

test("observe() forgets the life that was silent for longest, never one that talks", () => {
  const ledger = new SequenceLedger();
  const talker = epochAt(-60);
  ledger.observe(numbered(talker, 1));
  const epochs = Array.from({ length: 3 * REMEMBERED }, (_, i) => epochAt(i));
  for (const [i, epoch] of epochs.entries()) {
    ledger.observe(numbered(epoch, 1));
    assert.deepEqual(ledger.observe(numbered(talker, i + 2)), { kind: "next" });
  }
  assert.equal(ledger.observe(numbered(epochs[0]!, 2)).kind, "epoch");
});

test("observe() accounts for every message of lossy, repeating lives", () => {
  const fate = fc.constantFrom("delivered", "lost", "twice");
  const lives = fc.array(fc.array(fate, { minLength: 1, maxLength: 60 }), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(lives, (fates) => {
      const ledger = new SequenceLedger();
      // A first message that arrives anchors the first life.
      let published = 1;
      let received = ledger.observe(numbered(epochAt(-60), 1)).kind === "epoch" ? 1 : 0;
      let missed = 0;
      let unknownTail = 0;
      for (const [life, messages] of fates.entries()) {
        const epoch = epochAt(life);
        unknownTail += messages.length - 1 - messages.findLastIndex((each) => each !== "lost");
        for (const [index, each] of messages.entries()) {
          published++;
          if (each === "lost") continue;
          const news = ledger.observe(numbered(epoch, index + 1));
          assert.notEqual(news.kind, "duplicate");
          received++;
          if (news.kind === "gap" || news.kind === "epoch") missed += news.missed;
          if (each === "twice")
            assert.deepEqual(ledger.observe(numbered(epoch, index + 1)), { kind: "duplicate" });
        }
      }
      assert.equal(received + missed + unknownTail, published);
    }),
  );
});

test("lives() accounts for every tick of lossy, repeating lives up to the last message that came", () => {
  const sent = fc.record({ fate: fc.constantFrom("delivered", "lost", "twice"), held: fc.nat(20) });
  const lives = fc.array(fc.array(sent, { maxLength: 60 }), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(lives, fc.boolean(), (messagesOf, isLate) => {
      const ledger = new SequenceLedger();
      for (const [life, messages] of messagesOf.entries()) {
        // A life that began before the reader: what of it was sent before that is none of the reader's business.
        const epoch = epochAt(isLate && life === 0 ? -60 : life + 1);
        if (life === 0) ledger.beginAt(START_MS);
        let [before, taken, lost] = [0, 0, 0];
        const last = messages.findLastIndex(({ fate }) => fate !== "lost");
        const first =
          startOfEpochMs(epoch) < START_MS ? messages.findIndex(({ fate }) => fate !== "lost") : 0;
        for (const [index, { fate, held }] of messages.slice(0, last + 1).entries()) {
          const message = numbered(epoch, index + 1, { before, held });
          if (fate !== "lost") ledger.observe(message);
          if (fate === "twice") ledger.observe(message);
          before += held;
          if (fate !== "lost") taken += held;
          else if (index >= first) lost += held;
        }
        const known = [...ledger.lives()].find((each) => each.epoch === epoch);
        if (last < 0) assert.equal(known, undefined);
        else assert.deepEqual(known, { epoch, from: before - taken - lost, taken, lost, to: before });
      }
    }),
  );
});
