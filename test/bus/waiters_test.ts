import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { Waiters } from "../../src/bus/waiters.ts";

test("until() resumes every waiting caller, not only the last", { timeout: 5_000 }, async () => {
  const waiters = new Waiters();
  const { signal } = new AbortController();
  let open = false;
  const all = Promise.all([1, 2, 3].map(() => waiters.until(() => open, signal)));
  waiters.wake();
  open = true;
  waiters.wake();
  await all;
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("until() ends when the signal is aborted, before or while it waits", { timeout: 5_000 }, async () => {
  const waiters = new Waiters();
  const stop = new AbortController();
  const waiting = waiters.until(() => false, stop.signal);
  stop.abort();
  await waiting;
  await waiters.until(() => false, stop.signal);
});
