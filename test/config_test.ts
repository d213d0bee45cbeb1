import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { inspect } from "node:util";
import { VARIABLES, type Variable } from "../src/config/variables.ts";
import { CONFIG_VARIABLES, ConfigError, describeVariables, parseConfig } from "../src/config.ts";

const DURATION = "with a unit of ms, s, m, h or d";
const SIZE = "1MiB to 1TiB with a unit of KiB, MiB, GiB or TiB";
const MARKET = "venue:BASE-QUOTE such as binance:BTC-USDT, venue one of binance sim";
const WS = "ws://host:port or wss://host:port, no path";
const HTTP = "http://host:port or https://host:port";

/** Variable, bad value, what is wrong, what is allowed. */
const BAD_VALUES: readonly (readonly [string, string, string, string])[] = [
  ["NATS_URL", "http://a:1", "is not such an address", "nats://host:port or tls://host:port, no path"],
  ["NATS_URL", "nats://a:1/x", "has more than scheme, host and port", "nats://host:port"],
  ["INFLUX_URL", "127.0.0.1:8086", "is not such an address", HTTP],
  ["INFLUX_DATABASE", 'a"b', "is not a database name", "letters, digits and _"],
  ["MARKETS", "okx:BTC-USDT", 'names the unknown venue "okx"', MARKET],
  ["MARKETS", "binance:btcusdt", "is not a market", MARKET],
  ["MARKETS", "binance:BTC-USDT-PERP", "is not a spot market", "without a suffix"],
  ["INTERVALS", "7m", "is not an interval", "1s 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M"],
  ["TIMEZONE", "Mars/Olympus", "is not a time zone of this host", "an IANA name"],
  ["SHARDS", "0", "is not such a number", "a whole number from 1 to 256"],
  ["SHARDS", "257", "is not such a number", "a whole number from 1 to 256"],
  ["SHARD", "5-2", "is not a selection of shards", "0-3 or 0,2,5"],
  ["SHARD", "256", "is not a selection of shards", "from 0 to 255"],
  ["SHARD", "8", "does not exist", "0 to 7, see SHARDS"],
  ["ACTORS", "ingest", "is unknown", "kline persist"],
  ["TICK_MAX_AGE", "60", "is not a duration", `1s to 7d ${DURATION}`],
  ["TICK_MAX_AGE", "999ms", "is out of range", `1s to 7d ${DURATION}`],
  ["TICK_MAX_BYTES", "256MB", "is not a size", SIZE],
  ["TICK_MAX_BYTES", "1KiB", "is out of range", SIZE],
  ["TICK_MAX_LAG", "-2s", "is not a duration", "or 0 (off)"],
  ["CONSUMER_EXPIRY", "0", "is out of range", `1s to 7d ${DURATION}`],
  ["CANDLE_MAX_AGE", "1e3s", "is not a duration", `1m to 365d ${DURATION}`],
  ["CANDLE_MAX_BYTES", "2TiB", "is out of range", SIZE],
  ["CLOSE_DELAY", "2m", "is out of range", `0 to 1m ${DURATION}`],
  ["LATENESS", "2d", "is out of range", `0 to 1d ${DURATION}`],
  ["FILL", "zero", "is unknown", "flat none"],
  ["PERSIST_TICKS", "yes", "is unknown", "true false"],
  ["TICK_RETENTION", "30m", "is out of range", "or 0 (for ever)"],
  ["CANDLE_RETENTION", "for ever", "is not a duration", "or 0 (for ever)"],
  ["HTTP_HOST", "local host", "is not a host", "a name or address such as 127.0.0.1"],
  ["HTTP_PORT", "65536", "is not such a number", "a whole number from 0 to 65535"],
  ["METRICS_PORT", "0x50", "is not such a number", "a whole number from 0 to 65535"],
  ["LOG_LEVEL", "loud", "is unknown", "trace debug info warn error fatal silent"],
  ["BINANCE_WS_URL", "https://a:1", "is not such an address", WS],
  ["BINANCE_WS_URL", "ws://a:1/stream", "has more than scheme, host and port", WS],
  ["BINANCE_REST_URL", "ws://a:1", "is not such an address", HTTP],
  ["SIM_WS_URL", "nonsense", "is not such an address", WS],
  ["SIM_REST_URL", "http://a:1/?x=1", "has more than scheme, host and port", HTTP],
  ["SIM_TICKS_PER_SECOND", "NaN", "is not such a number", "a number from 0 to 1000000"],
  ["SIM_SEED", "1.5", "is not such a number", "a whole number from 0 to 4294967295"],
  ["DURATION", "1y", "is not a duration", "or 0 (until stopped)"],
  ["SPEED", "-1", "is not such a number", "a number from 0 to 1000000"],
];

for (const [name, value, problem, allowed] of BAD_VALUES) {
  test(`parseConfig() refuses ${name}=${value}`, () => {
    const problems = problemsOf({ [name]: value });
    assert.equal(problems.length, 1);
    const [line] = problems;
    assert.ok(line!.startsWith(`${name}: ${JSON.stringify(value)} ${problem}; allowed: `), line);
    assert.ok(line!.includes(allowed), line);
  });
}

test("parseConfig() has a bad value in this test for every variable that can have one", () => {
  const anyText = ["NATS_USER", "NATS_PASSWORD", "NATS_NKEY_SEED_FILE", "NATS_CREDS_FILE", "NATS_CA_FILE"];
  anyText.push("INFLUX_USERNAME", "INFLUX_PASSWORD", "FILE");
  const tested = new Set([...BAD_VALUES.map(([name]) => name), ...anyText]);
  assert.deepEqual([...tested].toSorted(), CONFIG_VARIABLES.toSorted());
});

test("parseConfig() names every problem at once", () => {
  const problems = problemsOf({ INTERVALS: "7m,1m,8q", MARKETS: "okx:A-B", FILL: "x" });
  assert.deepEqual(
    problems.map((line) => line.slice(0, line.indexOf(" "))),
    ["MARKETS:", "INTERVALS:", "INTERVALS:", "FILL:"],
  );
});

test("parseConfig() has the documented defaults", () => {
  const config = parseConfig({});
  assert.deepEqual(config.natsServers, ["nats://127.0.0.1:4222"]);
  assert.equal(config.influxUrl, "http://127.0.0.1:8086");
  assert.equal(config.markets.length, 12);
  assert.ok(config.markets.every(({ venue }) => venue === "sim"));
  assert.deepEqual(config.intervals, ["1s", "1m", "5m", "15m", "1h", "4h", "1d"]);
  assert.deepEqual(config.ownShards, [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.equal(config.tickMaxAgeMs, 60_000);
  assert.equal(config.tickMaxBytes, 256 * 2 ** 20);
  assert.equal(config.candleRetentionMs, 0);
  assert.equal(config.persistTicks, true);
  assert.equal(config.natsUser, undefined);
});

test("parseConfig() takes an empty variable as unset", () => {
  assert.deepEqual(parseConfig({ MARKETS: "", NATS_USER: "", SPEED: "" }), parseConfig({}));
});

test("parseConfig() reads durations and sizes in their units", () => {
  const config = parseConfig({
    CLOSE_DELAY: "250ms",
    TICK_MAX_AGE: "2s",
    LATENESS: "1.5m",
    CANDLE_MAX_AGE: "36h",
    TICK_RETENTION: "30d",
    TICK_MAX_BYTES: "2097152",
    CANDLE_MAX_BYTES: "1.5GiB",
  });
  assert.equal(config.closeDelayMs, 250);
  assert.equal(config.tickMaxAgeMs, 2_000);
  assert.equal(config.latenessMs, 90_000);
  assert.equal(config.candleMaxAgeMs, 129_600_000);
  assert.equal(config.tickRetentionMs, 2_592_000_000);
  assert.equal(config.tickMaxBytes, 2 ** 21);
  assert.equal(config.candleMaxBytes, 1.5 * 2 ** 30);
});

test("parseConfig() sorts intervals shortest first, each once", () => {
  assert.deepEqual(parseConfig({ INTERVALS: "1d, 1s,1M,5m,1s" }).intervals, ["1s", "5m", "1d", "1M"]);
});

test("parseConfig() keeps the order of markets, each once", () => {
  const { markets } = parseConfig({ MARKETS: "binance:ETH-USDT,sim:A-B,binance:ETH-USDT" });
  assert.deepEqual(
    markets.map(({ id }) => id),
    ["binance:ETH-USDT", "sim:A-B"],
  );
});

test("parseConfig() takes other names of UTC as UTC", () => {
  assert.equal(parseConfig({ TIMEZONE: "Etc/UTC" }).timeZone, "UTC");
  assert.equal(parseConfig({ TIMEZONE: "Asia/Shanghai" }).timeZone, "Asia/Shanghai");
});

test("parseConfig() reads a selection of shards", () => {
  assert.deepEqual(parseConfig({ SHARD: "5,0-2,1" }).ownShards, [0, 1, 2, 5]);
  assert.deepEqual(parseConfig({ SHARD: "all", SHARDS: "2" }).ownShards, [0, 1]);
});

test("parseConfig() drops the slash behind an address and takes several NATS servers", () => {
  const config = parseConfig({ NATS_URL: "nats://a:1/, tls://b:2", BINANCE_WS_URL: "ws://127.0.0.1:9001/" });
  assert.deepEqual(config.natsServers, ["nats://a:1", "tls://b:2"]);
  assert.equal(config.binanceWsUrl, "ws://127.0.0.1:9001");
});

test("parseConfig() takes a login only in one way and as a whole", () => {
  const [user] = problemsOf({ NATS_USER: "worker" });
  assert.match(user!, /^NATS_USER: is set without NATS_PASSWORD/);
  const [influx] = problemsOf({ INFLUX_PASSWORD: "pw" });
  assert.match(influx!, /^INFLUX_USERNAME: is set without INFLUX_PASSWORD/);
  const [both] = problemsOf({ NATS_NKEY_SEED_FILE: "a", NATS_CREDS_FILE: "b" });
  assert.match(both!, /one of NATS_USER, NATS_NKEY_SEED_FILE, NATS_CREDS_FILE/);
});

test("parseConfig() never shows a password", () => {
  const config = parseConfig({
    NATS_USER: "u",
    NATS_PASSWORD: "hunter2",
    INFLUX_USERNAME: "u",
    INFLUX_PASSWORD: "hunter2",
  });
  assert.equal(config.natsPassword?.reveal(), "hunter2");
  for (const shown of [
    JSON.stringify(config),
    inspect(config, { depth: 9, showHidden: true }),
    `${config.natsPassword}`,
  ]) {
    assert.ok(!shown.includes("hunter2"), shown);
  }
});

test("parseConfig() shows no password of an address", () => {
  for (const name of ["NATS_URL", "INFLUX_URL", "BINANCE_WS_URL"]) {
    for (const login of ["u:hunter2", "u:h,hunter2", "u:hunter2/x", "u:hunter2@y", "hunter2"]) {
      const message = problemsOf({ [name]: `nats://${login}@host:1` }).join("\n");
      assert.ok(message.startsWith(`${name}: "[secret]@host:1" `) && !message.includes("hunter2"), message);
    }
  }
});

test("parseConfig() reads declared variables only", () => {
  const asked: string[] = [];
  const env = new Proxy<Record<string, string>>(
    {},
    {
      get: (_, name) => void asked.push(String(name)),
      ownKeys: () => assert.fail("the environment was listed"),
    },
  );
  parseConfig(env);
  assert.deepEqual(asked, CONFIG_VARIABLES);
});

test("describeVariables() has a line with name, meaning and default for each", () => {
  const lines = describeVariables().split("\n");
  assert.equal(lines.length, CONFIG_VARIABLES.length);
  assert.match(lines.find((line) => line.includes("TICK_MAX_AGE"))!, /how long NATS keeps ticks \[60s\]$/);
});

test(".env.example lists each variable with its default", async () => {
  const example = await readFile(new URL("../.env.example", import.meta.url), "utf8");
  const listed = example.split("\n").filter((line) => /^#?[A-Z_]+=/.test(line));
  const expected = Object.values<Variable<unknown>>(VARIABLES).map(
    ({ name, fallback = "" }) => `#${name}=${fallback}`,
  );
  assert.deepEqual(listed, expected);
});

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    parseConfig(env);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.message, error.problems.join("\n"));
    return error.problems;
  }
  return assert.fail("the environment was accepted");
}
