import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { untilAborted } from "../../src/store/until_aborted.ts";

test("untilAborted() gives what the promise gives", async () => {
  const { signal } = new AbortController();
  assert.equal(await untilAborted(Promise.resolve(7), signal), 7);
  await assert.rejects(untilAborted(Promise.reject(new Error("own")), signal), /own/);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("untilAborted() ends with its signal, whatever becomes of the promise", async () => {
  const stop = new AbortController();
  let fail = (_: Error) => {};
  const late = new Promise((_, reject) => {
    fail = reject;
  });
  const ended = untilAborted(late, stop.signal);
  stop.abort(new Error("stopped"));
  await assert.rejects(ended, /stopped/);
  await assert.rejects(untilAborted(late, stop.signal), /stopped/);
  // Nobody handles this: it must not end the process.
  fail(new Error("late"));
  await new Promise((resolve) => setImmediate(resolve));
});
