import assert from "node:assert/strict";
import { test } from "node:test";
import { LeaseBoard } from "../../src/lease/lease_board.ts";
import { encodeRecord, NOBODY } from "../../src/lease/lease_record.ts";
import { ObservationClock } from "../../src/lease/observation_clock.ts";

const ignore = () => undefined;

function createBoard(newBroker = false) {
  let nowMs = 0;
  const clock = new ObservationClock(() => nowMs);
  const gone = new Set<string>();
  const isGone = (worker: string) => gone.has(worker);
  const board = new LeaseBoard({ worker: "me", clock, newBroker, isGone, onStart: ignore, onSeen: ignore });
  return {
    board,
    clock,
    gone,
    see: (owner: string, revision: number, seen = false) =>
      board.onValue({ key: "kline.0", value: encodeRecord({ owner, token: 7, seen }), revision }),
    /** Lets time pass while the process looks. */
    pass(ms: number) {
      for (const endMs = nowMs + ms; nowMs < endMs; nowMs += 100) clock.look();
      clock.look();
    },
    /** Lets time pass while it is frozen. */
    freeze(ms: number) {
      nowMs += ms;
    },
  };
}

test("openingOf() lets another's piece be taken only when it was seen unchanged for 3.5 s", () => {
  const { board, see, pass } = createBoard();
  board.onStart();
  see("other", 5);
  pass(3_400);
  assert.equal(board.openingOf("kline.0"), undefined);
  see("other", 6);
  pass(3_400);
  assert.equal(board.openingOf("kline.0"), undefined);
  pass(200);
  assert.deepEqual(board.openingOf("kline.0"), { from: "the dead", revision: 6, token: 7 });
});

test("openingOf() lets the piece of one whose connection is gone be taken at once, if that one was seen", () => {
  const { board, see, gone } = createBoard();
  board.onStart();
  see("other", 5, false);
  gone.add("other");
  assert.equal(board.openingOf("kline.0"), undefined, "it may be there and refused to listen");
  see("other", 6, true);
  assert.deepEqual(board.openingOf("kline.0"), { from: "the dead", revision: 6, token: 7 });
  gone.delete("other");
  assert.equal(board.openingOf("kline.0"), undefined);
});

test("openingOf() does not count time in which the process was frozen", () => {
  const { board, see, pass, freeze } = createBoard();
  board.onStart();
  see("other", 5);
  pass(1_000);
  freeze(60_000);
  assert.equal(board.openingOf("kline.0"), undefined);
  pass(2_000);
  assert.equal(board.openingOf("kline.0"), undefined);
  pass(500);
  assert.equal(board.openingOf("kline.0")?.from, "the dead");
});

test("openingOf() lets what was given back, and one's own, be taken at once", () => {
  const { board, see } = createBoard();
  assert.equal(board.openingOf("kline.0"), undefined, "nothing is known yet");
  board.onStart();
  see(NOBODY, 5);
  assert.deepEqual(board.openingOf("kline.0"), { from: "nobody", revision: 5, token: 7 });
  see("me", 6);
  assert.deepEqual(board.openingOf("kline.0"), { from: "oneself", revision: 6, token: 7 });
});

test("openingOf() waits for a lease to end where a key is missing, deleted or unreadable", () => {
  const { board, pass } = createBoard();
  board.onStart();
  board.onValue({ key: "kline.1", value: new Uint8Array(), revision: 8 });
  board.onValue({ key: "kline.2", value: Buffer.from('{"owner":7}'), revision: 9 });
  for (const piece of ["kline.0", "kline.1", "kline.2"]) assert.equal(board.openingOf(piece), undefined);
  pass(3_600);
  assert.deepEqual(board.openingOf("kline.0"), { from: "nobody", revision: 0, token: 0 });
  assert.deepEqual(board.openingOf("kline.1"), { from: "nobody", revision: 8, token: 0 });
  assert.deepEqual(board.openingOf("kline.2"), { from: "nobody", revision: 9, token: 0 });
});

test("openingOf() takes what a new broker does not know at once, but not what was deleted from it", () => {
  const { board } = createBoard(true);
  board.onStart();
  board.onValue({ key: "kline.1", value: new Uint8Array(), revision: 8 });
  assert.equal(board.openingOf("kline.0")?.from, "nobody");
  assert.equal(board.openingOf("kline.1"), undefined);
  board.onStart();
  assert.equal(board.openingOf("kline.0"), undefined, "it is not new any more");
});

test("note() keeps what is newest, whichever way it comes", () => {
  const { board, see } = createBoard();
  board.onStart();
  board.note("kline.0", { owner: NOBODY, token: 7, seen: false }, 6);
  see("me", 5);
  assert.deepEqual(board.openingOf("kline.0"), { from: "nobody", revision: 6, token: 7 });
});

test("onStart() begins all observations anew", () => {
  const { board, see, pass } = createBoard();
  board.onStart();
  see("other", 5);
  pass(3_600);
  board.onStart();
  assert.equal(board.openingOf("kline.0"), undefined);
  see("other", 5);
  pass(3_000);
  assert.equal(board.openingOf("kline.0"), undefined);
});
