import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { connect } from "nats";
import { until } from "../pipeline/harness.ts";
import { Command, type Exit, leftIn, privateFolder, serversIn } from "./command.ts";

const SUMMARY =
  /ran [\d.]+ s\nticks in +([\d,]+) .*\nticks in candles ([\d,]+), .*\ncandles stored +([\d,]+)\nticks stored +([\d,]+)\nlost +0\nunexplained +0\nlag +p50 [\d.]+ ms, p99 [\d.]+ ms, max [\d.]+ ms\n$/;
const STATUS_LINE = /^ticks\/s \d.* lag p50 .* lost 0 .*candles stored .*ticks stored .*$/m;
const SERVER_URLS = /^nats-server (nats:\S+)\ninfluxd +(http:\S+)\nmarket +(ws:\S+)\n/;
const CLEAN: Exit = { code: 0, signal: null };

function startRun(t: TestContext, folder: string, env: Readonly<Record<string, string>> = {}): Command {
  return new Command(t, "run", {
    TMPDIR: folder,
    MARKETS: "sim:BTC-USDT,sim:ETH-USDT,sim:ADA-USDT",
    SIM_SEED: "7",
    SIM_TICKS_PER_SECOND: "500",
    LOG_LEVEL: "warn",
    ...env,
  });
}

async function assertNothingLeft(folder: string): Promise<void> {
  assert.deepEqual(serversIn(folder), []);
  assert.deepEqual(await leftIn(folder), []);
}

/** The numbers of a summary that says that nothing was lost. */
function summaryOf({ stdout }: Command) {
  const match = SUMMARY.exec(stdout);
  assert.ok(match, stdout);
  const [ticks, inCandles, candlesStored, ticksStored] = match
    .slice(1)
    .map((text) => Number(text.replaceAll(",", "")));
  return { ticks: ticks!, inCandles: inCandles!, candlesStored: candlesStored!, ticksStored: ticksStored! };
}

test("run ends by itself after DURATION, with a summary and nothing lost or left", async (t) => {
  const folder = await privateFolder(t);
  const run = startRun(t, folder, { DURATION: "6s" });
  assert.deepEqual(await run.ends(), CLEAN);
  const { ticks, inCandles, candlesStored, ticksStored } = summaryOf(run);
  assert.ok(ticks > 0 && candlesStored > 0, run.stdout);
  assert.equal(inCandles, ticks);
  assert.equal(ticksStored, ticks);
  assert.equal(run.stderr, "");
  await assertNothingLeft(folder);
});

test("run works beside another one, and each takes its own servers with it on SIGINT or SIGTERM", async (t) => {
  const folders = [await privateFolder(t), await privateFolder(t)] as const;
  const runs = folders.map((folder) => startRun(t, folder));
  const urls = await Promise.all(runs.map((run) => run.prints(SERVER_URLS)));
  assert.equal(new Set(urls.flatMap((match) => match.slice(1))).size, 6);
  for (const folder of folders) assert.equal(serversIn(folder).length, 2);
  await Promise.all(runs.map((run) => run.prints(STATUS_LINE)));
  const [first, second] = runs as [Command, Command];
  first.send("SIGINT");
  assert.deepEqual(await first.ends(), CLEAN);
  await assertNothingLeft(folders[0]);
  assert.equal(serversIn(folders[1]).length, 2);
  second.send("SIGTERM");
  assert.deepEqual(await second.ends(), CLEAN);
  await assertNothingLeft(folders[1]);
  for (const run of runs) assert.ok(summaryOf(run).candlesStored > 0, run.stdout);
});

test("servers runs nothing but the servers, and says where they are", async (t) => {
  const folder = await privateFolder(t);
  const servers = new Command(t, "servers", { TMPDIR: folder });
  const [, natsUrl, influxUrl] = await servers.prints(/^export NATS_URL=(\S+) INFLUX_URL=(\S+)\n$/);
  assert.equal(serversIn(folder).length, 2);
  const ping = await fetch(`${influxUrl}/ping`);
  assert.equal(ping.status, 204);
  const connection = await connect({ servers: natsUrl! });
  await connection.close();
  servers.send("SIGTERM");
  assert.deepEqual(await servers.ends(), CLEAN);
  await assertNothingLeft(folder);
});

/** Moments of the start at which the user changes their mind. */
const MOMENTS: Readonly<Record<string, (run: Command, folder: string) => Promise<unknown>>> = {
  "100 ms after the start": () => delay(100),
  "300 ms after the start": () => delay(300),
  "500 ms after the start": () => delay(500),
  "800 ms after the start": () => delay(800),
  "while nats-server starts": (_, folder) => serverRuns(folder, "nats-server"),
  "while influxd starts": (_, folder) => serverRuns(folder, "influxd"),
  "when the servers are up": (run) => run.prints(/^influxd/m),
  "when the market is up": (run) => run.prints(/^market/m),
};

for (const [moment, reached] of Object.entries(MOMENTS)) {
  test(`run stops cleanly when told to ${moment}`, async (t) => {
    const folder = await privateFolder(t);
    const run = startRun(t, folder);
    await reached(run, folder);
    run.send("SIGINT");
    const { code, signal } = await run.ends();
    // Before the first line of ours is executed, the runtime ends as a signal demands.
    if (signal === null) assert.equal(code, 0, run.stderr);
    else assert.equal(`${signal} ${run.stdout}`, "SIGINT ");
    await assertNothingLeft(folder);
  });
}

async function serverRuns(folder: string, name: string): Promise<void> {
  const runs = () => serversIn(folder).some((line) => line.includes(`${name} -`));
  await until(`${name} to run`, runs, 20_000);
}
