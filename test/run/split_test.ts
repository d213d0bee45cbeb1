import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "nats";
import { shardOf } from "../../src/market/shard.ts";
import { expectedCandles, storedCandles } from "../pipeline/expected_candles.ts";
import type { Store } from "../pipeline/harness.ts";
import { ReplayStage } from "./replay_stage.ts";

const BASES = ["ADA", "BTC", "SOL", "DOGE", "ETH", "XRP"];
const INTERVALS = ["1s", "1m"];

test("one ingest process and two worker processes store each candle of a replay exactly once", async (t) => {
  const halves = new Set(BASES.map((base) => shardOf(`binance:${base}-USDT`, 8) < 4));
  assert.equal(halves.size, 2, "both halves of the shards have markets");
  const stage = await ReplayStage.start(t, {
    bases: BASES,
    seed: 42,
    lengthMs: 165_000,
    tradesPerSecond: 20,
  });
  const ingest = stage.run("run-ingest");
  const workers = ["0-3", "4-7"].map((shards) => stage.run("run-workers", { SHARD: shards }));
  await stage.play();
  // A loaded machine may pause the trades, so that a candle is closed by the clock and amended after it.
  await stage.untilRight({ pauses: true });
  const inspect = stage.run("inspect");
  assert.deepEqual(await inspect.ends(), { code: 0, signal: null }, inspect.stderr);
  checkInspection(inspect.stdout, stage.trades.length);

  await stage.stop(ingest, ...workers);
  for (const command of [ingest, ...workers]) {
    assert.match(command.stdout, /\nlost +0\n/);
    // A loaded machine may cost a lease; that must not show in the candles, and nothing else may be said.
    const complaints = command.stderr.split("\n").filter((line) => !/^$|"msg":"lease ended"/.test(line));
    assert.deepEqual(complaints, []);
  }
  for (const { stdout } of workers) assert.match(stdout, /\ncandles stored +[1-9]/);
  await stage.untilRight({ pauses: true });
  const expected = expectedCandles(stage.trades);
  const incomplete = [...expected.values()].filter(({ complete }) => !complete);
  assert.equal(incomplete.length, BASES.length * INTERVALS.length, "only the first candles are incomplete");
  await checkMessages(stage.natsUrl, stage.store);
  await stage.untilTicksAreStored();
});

/** Holds the stream of candles against what is stored: one message for each candle and revision. */
async function checkMessages(natsUrl: string, store: Store): Promise<void> {
  const connection = await connect({ servers: natsUrl });
  try {
    const manager = await connection.jetstreamManager();
    const { state } = await manager.streams.info("CANDLES", { subjects_filter: ">" });
    const counts: Record<string, number> = {};
    for (const { market, interval, revision } of (await storedCandles(store)).values()) {
      const subject = `candles.binance.${market}.${interval}`;
      counts[subject] = (counts[subject] ?? 0) + 1 + revision;
    }
    assert.deepEqual(state.subjects, counts);
  } finally {
    await connection.close();
  }
}

/** Every stream, every consumer, every process, and a balance of all of them. */
function checkInspection(text: string, trades: number): void {
  for (const stream of ["TICKS", "CANDLES", "LIVE"]) {
    assert.match(text, new RegExp(`^${stream} +[1-9]\\d* +[1-9]\\d* +[1-9]\\d* +[\\d.]+ s$`, "m"));
  }
  const shards = Array.from({ length: 8 }, (_, shard) => shard);
  for (const shard of shards) {
    assert.match(text, new RegExp(`^kline-${shard}\\S* +TICKS +ticks\\.${shard}\\.\\* +0$`, "m"));
    assert.match(text, new RegExp(`^persist-ticks-${shard}\\S* +TICKS +ticks\\.${shard}\\.\\* +0$`, "m"));
  }
  assert.equal(text.match(/^persist-candles\S* +CANDLES +candles\.> +0$/gm)?.length, 2, text);
  assert.match(text, /^ *\d+ +ingest +ingest-binance +- +-$/m);
  for (const shards of ["0,1,2,3", "4,5,6,7"]) {
    assert.match(text, new RegExp(`^ *\\d+ +kline +kline-${shards} +([\\d.]+ ms|-) +([\\d.]+ ms|-)$`, "m"));
    assert.match(text, new RegExp(`^ *\\d+ +persist +persist-candles persist-ticks-${shards} +- +-$`, "m"));
  }
  assert.doesNotMatch(text, /no answer/);
  const count = (stage: string, line: string) => {
    const match = new RegExp(`^${stage}: .*\\n(?:  .*\\n)*?  +${line} +([\\d,]+)`, "m").exec(text);
    assert.ok(match, `${stage} ${line} in ${text}`);
    return Number(match[1]!.replaceAll(",", ""));
  };
  for (const [stage, line] of [
    ["ingest", "received"],
    ["publish", "accepted"],
    ["to_kline", "taken"],
    ["kline", "read"],
    ["to_persist_ticks", "numbered"],
  ] as const) {
    assert.equal(count(stage, line), trades, `${stage} ${line}`);
  }
  // Each process reads all candles, and stores its own; quiet markets go on closing some meanwhile.
  const [read, stored, elsewhere] = ["read", "stored", "elsewhere"].map((line) =>
    count("persist_candles", line),
  );
  const made = count("candles", "closed") + count("candles", "revised");
  assert.ok(read! <= 2 * made && stored! > 0 && elsewhere! > 0, text);
  assert.match(text, /\n\nunexplained 0\n$/);
}
