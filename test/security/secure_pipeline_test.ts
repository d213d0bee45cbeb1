import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { parseMarket } from "../../src/market/market.ts";
import { freePort } from "../../src/servers/port.ts";
import { BinanceServer } from "../../src/simulator/binance_server.ts";
import { replay } from "../../src/simulator/replay.ts";
import { natsBinaries } from "../bus/harness.ts";
import { expectedCandles } from "../pipeline/expected_candles.ts";
import { createStore } from "../pipeline/harness.ts";
import { Command } from "../run/command.ts";
import { inTurn, replayedTrades } from "../run/replayed_trades.ts";
import { createPassword, encodeLogin, startSecureInfluxd } from "./secure_influxd.ts";
import { type NatsRole, startSecureNats } from "./secure_nats.ts";
import { untilStored } from "./until_stored.ts";

const MARKETS = ["BTC", "ETH", "ADA"].map((base) => parseMarket(`binance:${base}-USDT`));
const START_MS = Date.UTC(2024, 7, 9, 12, 0, 20, 500);
const END_MS = Date.UTC(2024, 7, 9, 12, 2, 5, 500);
const REPLAYED_DEADLINE_MS = 30_000;

for (const [index, binary] of natsBinaries().entries()) {
  test(`users with least privileges store each candle, and no output shows a secret (server ${index + 1})`, async (t) => {
    const natsPassword = createPassword();
    const nats = await startSecureNats(t, { binary, passwords: { persist: natsPassword } });
    const influxd = await startSecureInfluxd(t);
    const venue = await BinanceServer.start();
    t.after(() => venue.stop());
    const common = { NATS_URL: nats.url, NATS_CA_FILE: nats.caFile, LOG_LEVEL: "trace" };
    const natsLogin = (role: NatsRole) => ({ ...common, NATS_NKEY_SEED_FILE: nats.seedFiles[role] });
    const store = { INFLUX_URL: influxd.url, TICK_RETENTION: "0" };

    const provision = new Command(t, "provision", {
      ...store,
      ...influxEnv(influxd.admin),
      LOG_LEVEL: "trace",
    });
    assert.deepEqual(await provision.ends(), { code: 0, signal: null }, provision.stderr);
    const writer = await influxd.createUser("persist", "WRITE ON market");
    const reader = await influxd.createUser("gateway", "READ ON market");

    const markets = { MARKETS: MARKETS.map(({ id }) => id).join(), INTERVALS: "1s,1m" };
    const ports = [await freePort(), await freePort(), await freePort()];
    const [ingest, kline, persist] = [
      new Command(t, "run-ingest", {
        ...natsLogin("ingest"),
        ...markets,
        BINANCE_WS_URL: venue.url,
        METRICS_PORT: `${ports[0]}`,
      }),
      new Command(t, "run-workers", {
        ...natsLogin("kline"),
        ...markets,
        ACTORS: "kline",
        METRICS_PORT: `${ports[1]}`,
      }),
      new Command(t, "run-workers", {
        ...common,
        ...store,
        ...influxEnv(writer),
        NATS_USER: "persist",
        NATS_PASSWORD: natsPassword,
        ACTORS: "persist",
        METRICS_PORT: `${ports[2]}`,
      }),
    ];
    const commands = [ingest, kline, persist];
    const { events, trades } = replayedTrades(MARKETS, {
      seed: 7,
      startMs: START_MS,
      endMs: END_MS,
      tradesPerSecond: 20,
    });
    const awaited = MARKETS.map(({ base, quote }) => `${base}${quote}@trade`.toLowerCase());
    await replay(venue, inTurn(events), {
      speed: 0,
      awaited,
      signal: AbortSignal.timeout(REPLAYED_DEADLINE_MS),
    });
    const expected = expectedCandles(trades);
    const stored = createStore(influxd.url, "market", reader);
    await untilStored(stored, expected);

    const inspect = new Command(t, "inspect", natsLogin("inspect"));
    assert.deepEqual(await inspect.ends(), { code: 0, signal: null }, inspect.stderr);
    for (const name of ["TICKS ", "CANDLES ", "ingest:", "to_kline:", "candles:", "to_persist_ticks:"]) {
      assert.match(inspect.stdout, new RegExp(`^${name}`, "m"));
    }
    assert.match(inspect.stdout, /\n\nunexplained 0\n$/);
    assert.doesNotMatch(inspect.stdout, /no answer/);
    const shown = [...(await observations(ports)), processList()];
    for (const command of commands) command.send("SIGTERM");
    for (const command of commands) {
      assert.deepEqual(await command.ends(), { code: 0, signal: null }, command.stderr);
      assert.doesNotMatch(command.stderr, /PERMISSIONS_VIOLATION|"level":[56]0/);
    }
    assert.match(persist!.stderr, /this user may not set up InfluxDB/);

    const logins = [influxd.admin, writer, reader];
    const secrets = [...nats.secrets, ...logins.map(({ password }) => password), ...logins.map(encodeLogin)];
    for (const { stdout, stderr } of [...commands, inspect, provision]) shown.push(stdout, stderr);
    for (const text of shown) {
      for (const secret of secrets) assert.ok(!text.includes(secret), text);
    }
  });
}

function influxEnv({ username, password }: { readonly username: string; readonly password: string }) {
  return { INFLUX_USERNAME: username, INFLUX_PASSWORD: password };
}

/** All that processes say over HTTP. */
async function observations(ports: readonly number[]): Promise<string[]> {
  const paths = ["metrics", "readyz", "livez"];
  const urls = ports.flatMap((port) => paths.map((path) => `http://127.0.0.1:${port}/${path}`));
  return Promise.all(urls.map(async (url) => (await fetch(url)).text()));
}

function processList(): string {
  const { stdout } = spawnSync("ps", ["-A", "-ww", "-o", "args="], { encoding: "utf8" });
  assert.match(stdout, /run-workers/);
  return stdout;
}
