import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "nats";
import { untilBalanced } from "../pipeline/balance.ts";
import { until } from "../pipeline/harness.ts";
import { ReplayStage } from "./replay_stage.ts";

const PARTS = 3;
const DEADLINE_MS = 60_000;

test("a worker that was away for longer than the stream keeps ticks knows exactly how many it missed", async (t) => {
  const stage = await ReplayStage.start(t, {
    bases: ["BTC", "ETH", "SOL"],
    seed: 21,
    lengthMs: 60_000,
    tradesPerSecond: 20,
    env: { TICK_MAX_AGE: "10s", PERSIST_TICKS: "false", LOG_LEVEL: "info" },
  });
  const startWorkers = () => stage.run("run-workers", { SHARD: "0-7", ACTORS: "kline" });
  const stages = async () => {
    const { stages: accounts } = await untilBalanced(stage.natsUrl);
    return new Map(accounts.map((account) => [account.stage, account]));
  };
  /** Plays a part; how many trades have been accepted then. */
  const play = async (part: number) => {
    await stage.play({ part, of: PARTS });
    let accepted = 0;
    const isPublished = async () => {
      const { came, became } = (await stages()).get("publish")!;
      accepted = came.accepted!;
      return became.confirmed === accepted;
    };
    // The first lease of a broker takes a while; what comes meanwhile is kept.
    await until("all is published", isPublished, DEADLINE_MS);
    return accepted;
  };
  const ingest = stage.run("run-ingest");
  const first = startWorkers();
  const afterFirst = await play(0);
  assert.equal((await stages()).get("kline")!.became.accepted, afterFirst);
  first.send("SIGTERM");
  assert.deepEqual(await first.ends(), { code: 0, signal: null }, first.stderr);

  const afterSecond = await play(1);
  await untilShed(stage.natsUrl);
  const second = startWorkers();
  await second.logs(/going on from snapshots/);
  const afterThird = await play(2);
  assert.equal(afterThird, stage.trades.length);
  assert.deepEqual((await stages()).get("to_kline")!.became, {
    before_reader: afterFirst,
    lost: afterSecond - afterFirst,
    taken: afterThird - afterSecond,
    to_read: 0,
  });
  await stage.stop(ingest, second);
  assert.match(second.stdout, new RegExp(`\\nlost +${afterSecond - afterFirst} \\(tick_missing \\d+\\)\\n`));
});

/** Waits until the stream holds nothing any more of what it holds now. */
async function untilShed(natsUrl: string): Promise<void> {
  const bus = await connect({ servers: natsUrl });
  try {
    const { streams } = await bus.jetstreamManager();
    const { last_seq: last } = (await streams.info("TICKS")).state;
    const isShed = async () => (await streams.info("TICKS")).state.first_seq > last;
    await until("the stream has shed what it held", isShed, DEADLINE_MS);
  } finally {
    await bus.close();
  }
}
