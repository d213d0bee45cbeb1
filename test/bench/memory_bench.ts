import { describeMachine, printTable } from "./machine.ts";
import { runPipeline } from "./pipeline_run.ts";

/**
 * Memory of one process that hosts 15 worker actors (7 kline, 7 persist-ticks, 1 persist-candles) at 1,000 trades/s.
 * `SECONDS` changes for how long it is watched.
 */

const SHARDS = 7;
const TRADES_PER_SECOND = 1_000;

const { rssMiB, lags, missing } = await runPipeline({
  tradesPerSecond: TRADES_PER_SECOND,
  persistTicks: true,
  warmSeconds: 5,
  seconds: Number(process.env.SECONDS ?? 30),
  env: { SHARDS: String(SHARDS) },
});
process.stdout.write(
  `Memory: 15 worker actors in one process, ${TRADES_PER_SECOND} trades/s\n${describeMachine()}\n\n`,
);
printTable(
  ["process", "largest RSS, MiB"],
  Object.entries(rssMiB).map(([name, mib]) => [name, mib.toFixed(0)]),
);
process.stdout.write(
  `trades missing ${missing}; worst lag ${Math.max(...lags.map(({ maxMs }) => maxMs))} ms\n\n`,
);
