import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { until } from "../pipeline/harness.ts";
import { ReplayStage } from "./replay_stage.ts";

const BASES = ["BTC", "ETH", "SOL"];
const SPEED = 4;
const KILL_AFTER_MS = [13_000, 26_000];
const DEADLINE_MS = 60_000;

test("workers that are killed go on with candles of which the stream holds only the end", async (t) => {
  const stage = await ReplayStage.start(t, {
    bases: BASES,
    seed: 11,
    lengthMs: 165_000,
    tradesPerSecond: 30,
    // A minute of the market takes 15 s: its first trades are gone before it ends. A slow machine starts in the rest.
    env: { TICK_MAX_AGE: "12s", PERSIST_TICKS: "false", LOG_LEVEL: "info" },
  });
  // Fixed shards, so that the next process need not wait until the lease of the killed one has ended.
  const startWorkers = () => stage.run("run-workers", { SHARD: "0-7" });
  const ingest = stage.run("run-ingest");
  let workers = startWorkers();
  const playing = stage.play({ speed: SPEED });
  const hasBegun = () => stage.venue.subscriptions.length === BASES.length;
  await until("the replay has begun", hasBegun, DEADLINE_MS);
  const startMs = performance.now();
  for (const killMs of KILL_AFTER_MS) {
    await delay(startMs + killMs - performance.now());
    workers.send("SIGKILL");
    await workers.ends();
    workers = startWorkers();
    await workers.logs(/going on from snapshots/);
  }
  await playing;
  await stage.untilRight({ pauses: true });
  await stage.stop(ingest, workers);
  for (const { stdout } of [ingest, workers]) assert.match(stdout, /\nlost +0\n/);
  await stage.untilRight({ pauses: true });
});
