import { setTimeout as delay } from "node:timers/promises";
import { BenchStage } from "./bench_stage.ts";
import { CandleAge } from "./candle_age.ts";
import { describeMachine, median, printTable } from "./machine.ts";

/**
 * A lone worker process that has all shards is killed and started again: how long until trades that are sent after its
 * start are in open candles. That holds the start of Node, the leases, and what the stream has since the snapshots.
 */

const TRADES_PER_SECOND = 5_000;
const KILLS = 7;
/** Between two kills, so that the snapshots are of different ages when it is killed. */
const APART_MS = 6_300;
const POLL_MS = 10;

const stage = await BenchStage.start({
  tradesPerSecond: TRADES_PER_SECOND,
  env: { PERSIST_TICKS: "false" },
});
const age = await CandleAge.watch(stage);
const currentMs: number[] = [];
for (let kill = 0; kill < KILLS; kill++) {
  await delay(APART_MS);
  await stage.replaceWorkers();
  const startMs = Date.now();
  while (!age.isCurrent(startMs)) await delay(POLL_MS);
  currentMs.push(Date.now() - startMs);
}
const notStored = await stage.untilStored(await stage.endTrading());
await age.close();
await stage.stop();

process.stdout.write(
  `A lone worker is killed ${KILLS} times at ${TRADES_PER_SECOND.toLocaleString("en-US")} trades/s, 50 markets\n` +
    `${describeMachine()}\n\n`,
);
const seconds = (ms: number) => `${(ms / 1_000).toFixed(2)} s`;
printTable(
  ["from its start until", "median", "worst"],
  [["trades sent since are in open candles", seconds(median(currentMs)), seconds(Math.max(...currentMs))]],
);
process.stdout.write(`trades in no stored candle: ${notStored}\n`);
