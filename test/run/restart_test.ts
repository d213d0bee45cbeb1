import assert from "node:assert/strict";
import { test } from "node:test";
import { ReplayStage } from "./replay_stage.ts";

const KILLS = 2;

test("workers that are killed in the middle of a replay leave no trace in what is stored", async (t) => {
  const stage = await ReplayStage.start(t, {
    bases: ["BTC", "ETH", "SOL"],
    seed: 5,
    lengthMs: 165_000,
    tradesPerSecond: 20,
    // Long enough for a slow machine: what the stream still holds is what a restart may not lose.
    env: { TICK_MAX_AGE: "10m" },
  });
  const ingest = stage.run("run-ingest");
  let workers = stage.run("run-workers");
  for (let part = 0; part <= KILLS; part++) {
    await stage.playAndStore(part, KILLS + 1);
    if (part === KILLS) break;
    workers.send("SIGKILL");
    await workers.ends();
    workers = stage.run("run-workers");
  }
  await stage.untilRight({ pauses: true });
  await stage.untilTicksAreStored();
  await stage.stop(ingest, workers);
  for (const { stdout } of [ingest, workers]) assert.match(stdout, /\nlost +0\n/);
  await stage.untilRight({ pauses: true });
});
