import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { until } from "../pipeline/harness.ts";
import { ReplayStage } from "./replay_stage.ts";

const DEADLINE_MS = 60_000;
/** Longer than a lease lasts and than others wait for it. */
const FREEZE_MS = 6_000;
const PARTS = 5;
const KLINE_LEASE = /"piece":"kline\.\d".*"msg":"lease acquired"/;

test("workers and ingests that join, are killed and are frozen leave no trace in what is stored", async (t) => {
  const stage = await ReplayStage.start(t, {
    bases: ["BTC", "ETH", "SOL", "XRP", "ADA", "DOT"],
    seed: 9,
    lengthMs: 225_000,
    tradesPerSecond: 20,
    // What the stream still holds is what a change of hands may not lose; long enough for a slow machine.
    env: { TICK_MAX_AGE: "10m", LOG_LEVEL: "debug" },
  });
  const ingest = stage.run("run-ingest");
  const first = stage.run("run-workers");
  await stage.playAndStore(0, PARTS);
  const standby = stage.run("run-ingest");
  await until("both ingests follow the venue", () => stage.venue.connections === 2, DEADLINE_MS);
  const second = stage.run("run-workers");
  await second.logs(KLINE_LEASE);
  await stage.playAndStore(1, PARTS);
  first.send("SIGKILL");
  await first.ends();
  await stage.playAndStore(2, PARTS);

  // Its shards go to a third one; when it wakes up, nothing of what it had in hand may come out.
  const third = stage.run("run-workers");
  await third.logs(KLINE_LEASE);
  second.send("SIGSTOP");
  await delay(FREEZE_MS);
  await stage.playAndStore(3, PARTS);
  second.send("SIGCONT");
  await second.logs(/"end":"lost"/);

  // Nobody publishes for a moment; the one that stood by has what comes meanwhile.
  ingest.send("SIGKILL");
  await ingest.ends();
  await stage.playAndStore(4, PARTS);

  await stage.untilRight({ pauses: true });
  await stage.untilTicksAreStored();
  await stage.stop(standby, second, third);
  await stage.untilRight({ pauses: true });
});
