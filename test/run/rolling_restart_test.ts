import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../pipeline/harness.ts";
import { ReplayStage } from "./replay_stage.ts";

const BASES = ["BTC", "ETH", "SOL", "XRP"];
const DEADLINE_MS = 60_000;

test("a rolling restart of every process under load loses nothing", async (t) => {
  const stage = await ReplayStage.start(t, {
    bases: BASES,
    seed: 23,
    lengthMs: 125_000,
    tradesPerSecond: 40,
    env: { TICK_MAX_AGE: "10m", LOG_LEVEL: "debug" },
  });
  const ingests = [stage.run("run-ingest"), stage.run("run-ingest")];
  const workers = [stage.run("run-workers"), stage.run("run-workers")];
  const followers = (count: number) => () =>
    BASES.every((base) => stage.venue.listenersOf(`${base}USDT@trade`.toLowerCase()) === count);
  await until("both ingests follow the venue", followers(2), DEADLINE_MS);
  const playing = stage.play({ speed: 5 });
  const everyone = [...ingests, ...workers];
  for (const crew of [workers, ingests]) {
    for (const [index, old] of crew.entries()) {
      const younger = stage.run(crew === workers ? "run-workers" : "run-ingest");
      everyone.push(younger);
      if (crew === workers) await younger.logs(/lease acquired/);
      else await until("it follows the venue too", followers(3), DEADLINE_MS);
      await stage.stop(old);
      crew[index] = younger;
    }
  }
  await playing;
  await stage.untilRight({ pauses: true });
  await stage.untilTicksAreStored();
  await stage.stop(...ingests, ...workers);
  for (const { stdout } of everyone) assert.match(stdout, /\nlost +0\n/);
  await stage.untilRight({ pauses: true });
});
