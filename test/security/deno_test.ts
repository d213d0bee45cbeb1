import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { parseConfig } from "../../src/config.ts";
import { parseMarket } from "../../src/market/market.ts";
import { denoArguments, permissionsOf } from "../../src/run/permissions.ts";
import { freePort } from "../../src/servers/port.ts";
import { BinanceServer } from "../../src/simulator/binance_server.ts";
import { replay } from "../../src/simulator/replay.ts";
import { expectedCandles } from "../pipeline/expected_candles.ts";
import { createStore } from "../pipeline/harness.ts";
import { Command } from "../run/command.ts";
import { inTurn, replayedTrades } from "../run/replayed_trades.ts";
import { startSecureInfluxd } from "./secure_influxd.ts";
import { startSecureNats } from "./secure_nats.ts";
import { untilStored } from "./until_stored.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const DENO_FOLDER = `${ROOT}.tools/deno`;
/** The program itself: the script that npm puts beside it starts it as a child, which signals do not reach. */
const DENO = `${DENO_FOLDER}/node_modules/deno/deno`;
const DENO_ENV = { DENO_DIR: `${DENO_FOLDER}/cache`, NO_COLOR: "1" };
const SCRIPT_TIMEOUT_MS = 30_000;
const skip = !existsSync(DENO) && 'there is no Deno in .tools: run "make install-deno"';
const MARKET = parseMarket("binance:BTC-USDT");
const START_MS = Date.UTC(2024, 7, 9, 12, 0, 20, 500);
const REPLAYED_DEADLINE_MS = 30_000;

type Env = Readonly<Record<string, string>>;
type Role = "ingest" | "kline" | "persist";

const COMMANDS: Readonly<Record<Role, string>> = {
  ingest: "run-ingest",
  kline: "run-workers",
  persist: "run-workers",
};

/** Role, whose permissions it gets instead of its own, and what it lacks then. */
const REFUSALS: readonly (readonly [Role, Role, (env: Env) => string])[] = [
  ["ingest", "kline", ({ NATS_NKEY_SEED_FILE }) => `read access to "${NATS_NKEY_SEED_FILE}"`],
  ["ingest", "persist", ({ NATS_NKEY_SEED_FILE }) => `read access to "${NATS_NKEY_SEED_FILE}"`],
  ["kline", "ingest", ({ NATS_NKEY_SEED_FILE }) => `read access to "${NATS_NKEY_SEED_FILE}"`],
  ["kline", "persist", ({ NATS_NKEY_SEED_FILE }) => `read access to "${NATS_NKEY_SEED_FILE}"`],
  ["persist", "ingest", () => 'env access to "INFLUX_USERNAME"'],
  ["persist", "kline", () => 'env access to "INFLUX_USERNAME"'],
];

test("under Deno each role works with its permissions, and not with another's", { skip }, async (t) => {
  const { envs, venue, store, natsUrl, seedFiles } = await startServers(t);
  await t.test("all together store each candle", async (tt) => {
    const roles = Object.keys(COMMANDS) as Role[];
    const commands = roles.map((role) => runUnderDeno(tt, role, envs[role], envs[role]));
    const { events, trades } = replayedTrades([MARKET], {
      seed: 3,
      startMs: START_MS,
      endMs: START_MS + 100_000,
      tradesPerSecond: 20,
    });
    const signal = AbortSignal.timeout(REPLAYED_DEADLINE_MS);
    const replayed = replay(venue, inTurn(events), { speed: 0, awaited: ["btcusdt@trade"], signal });
    await Promise.race([replayed, firstToEnd(commands)]);
    const expected = expectedCandles(trades);
    await untilStored(store, expected);
    const metrics = await fetch(`http://127.0.0.1:${envs.persist.METRICS_PORT}/metrics`);
    assert.match(await metrics.text(), /^tickline_ready 1$/m);
    for (const command of commands) command.send("SIGTERM");
    for (const command of commands) {
      assert.deepEqual(await command.ends(), { code: 0, signal: null }, command.stderr);
      assert.equal(command.stderr, "");
    }
  });
  for (const [role, other, lacks] of REFUSALS) {
    await t.test(`${role} is refused with what ${other} may`, async (tt) => {
      const command = runUnderDeno(tt, role, envs[role], envs[other], COMMANDS[other]);
      assert.deepEqual(await command.ends(), { code: 1, signal: null }, command.stderr);
      assert.ok(
        unquote(command.stderr).includes(`NotCapable: Requires ${lacks(envs[role])}`),
        command.stderr,
      );
    });
  }
  await t.test("deploy/deno.sh runs a command with what it may", async () => {
    const env = {
      ...envs.ingest,
      NATS_NKEY_SEED_FILE: seedFiles.inspect,
      PATH: process.env.PATH,
      ...DENO_ENV,
    };
    const { stdout } = await promisify(execFile)("sh", ["deploy/deno.sh", "inspect"], {
      cwd: ROOT,
      env,
      timeout: SCRIPT_TIMEOUT_MS,
    });
    assert.match(stdout, /^stream +messages/);
  });
  const elsewhere: readonly (readonly [Role, Env])[] = [
    ["ingest", { NATS_URL: natsUrl.replace("127.0.0.1", "localhost") }],
    ["ingest", { BINANCE_WS_URL: `ws://127.0.0.1:${await freePort()}` }],
    ["kline", { NATS_URL: `nats://127.0.0.1:${await freePort()}` }],
    ["persist", { INFLUX_URL: `http://127.0.0.1:${await freePort()}` }],
  ];
  for (const [role, change] of elsewhere) {
    await t.test(`${role} reaches no other server: ${Object.keys(change)}`, async (tt) => {
      const command = runUnderDeno(tt, role, { ...envs[role], ...change }, envs[role]);
      assert.deepEqual(await command.ends(), { code: 1, signal: null }, command.stderr);
      const [url] = Object.values(change);
      const { host, hostname } = new URL(url!);
      const names = new RegExp(`Requires net access to \\\\"${host}|getaddrinfo EPERM ${hostname}`);
      assert.match(command.stderr, names);
    });
  }
});

test("permissions prints the arguments for Deno, one a line", async (t) => {
  const env = { ACTORS: "kline", NATS_URL: "nats://nats.example", LOG_LEVEL: "warn" };
  const command = new Command(t, "permissions run-workers", env);
  assert.deepEqual(await command.ends(), { code: 0, signal: null }, command.stderr);
  const [prompt, net, variables, sys, ...rest] = command.stdout.trimEnd().split("\n");
  assert.deepEqual(
    [prompt, net, sys, rest],
    ["--no-prompt", "--allow-net=nats.example:4222", "--allow-sys=hostname", []],
  );
  assert.match(variables!, /^--allow-env=NATS_URL,NATS_USER,/);
  assert.doesNotMatch(variables!, /INFLUX_PASSWORD/);
});

/** Runs a role with what is granted to another environment, or its own. */
function runUnderDeno(
  t: TestContext,
  role: Role,
  env: Env,
  grantedTo: Env,
  command = COMMANDS[role],
): Command {
  const permissions = denoArguments(permissionsOf(command, parseConfig(grantedTo)));
  const runtime = [DENO, "run", ...permissions];
  return new Command(t, COMMANDS[role], { ...env, ...DENO_ENV }, runtime);
}

function unquote(text: string): string {
  return text.replaceAll('\\"', '"');
}

/** Fails when one of the commands ends. */
async function firstToEnd(commands: readonly Command[]): Promise<void> {
  await Promise.race(commands.map(({ exited }) => exited));
  for (const { stderr } of commands) assert.equal(stderr, "");
}

async function startServers(t: TestContext) {
  const nats = await startSecureNats(t);
  const influxd = await startSecureInfluxd(t);
  const venue = await BinanceServer.start();
  t.after(() => venue.stop());
  await influxd.administer("CREATE DATABASE market");
  for (const policy of ["candles", "ticks"]) {
    const isDefault = policy === "candles" ? " DEFAULT" : "";
    await influxd.administer(
      `CREATE RETENTION POLICY ${policy} ON market DURATION INF REPLICATION 1${isDefault}`,
    );
  }
  const writer = await influxd.createUser("persist", "WRITE ON market");
  const reader = await influxd.createUser("gateway", "READ ON market");
  const common = (role: Role) => ({
    NATS_URL: nats.url,
    NATS_CA_FILE: nats.caFile,
    NATS_NKEY_SEED_FILE: nats.seedFiles[role],
    MARKETS: MARKET.id,
    INTERVALS: "1s,1m",
    LOG_LEVEL: "warn",
  });
  const envs: Readonly<Record<Role, Env>> = {
    ingest: { ...common("ingest"), BINANCE_WS_URL: venue.url },
    // A host by its name, as most are known.
    kline: { ...common("kline"), NATS_URL: nats.url.replace("127.0.0.1", "localhost"), ACTORS: "kline" },
    persist: {
      ...common("persist"),
      ACTORS: "persist",
      INFLUX_URL: influxd.url,
      INFLUX_USERNAME: writer.username,
      INFLUX_PASSWORD: writer.password,
      METRICS_PORT: `${await freePort()}`,
    },
  };
  return {
    envs,
    venue,
    natsUrl: nats.url,
    seedFiles: nats.seedFiles,
    store: createStore(influxd.url, "market", reader),
  };
}
