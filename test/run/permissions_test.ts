import assert from "node:assert/strict";
import { test } from "node:test";
import { CONFIG_VARIABLES, parseConfig } from "../../src/config.ts";
import { permissionsOf, variablesOf } from "../../src/run/permissions.ts";

const SECRETS = /NATS_(USER|PASSWORD|NKEY_SEED_FILE|CREDS_FILE)|INFLUX_(USERNAME|PASSWORD)/;

test("variablesOf() withholds the logins that a command has no use for", () => {
  const logins = (command: string, actors?: string) =>
    variablesOf(command, actors)
      .filter((name) => SECRETS.test(name))
      .map((name) => name.split("_")[0]);
  const [nats, influx] = [new Set(["NATS"]), new Set(["INFLUX"])];
  assert.deepEqual(new Set(logins("run-ingest")), nats);
  assert.deepEqual(new Set(logins("run-workers", "kline")), nats);
  assert.deepEqual(new Set(logins("inspect")), nats);
  assert.deepEqual(new Set(logins("provision")), influx);
  for (const actors of [undefined, "persist", "kline,persist"]) {
    assert.deepEqual(new Set(logins("run-workers", actors)), new Set(["NATS", "INFLUX"]));
  }
  for (const command of ["run", "servers", "record", "replay"]) assert.deepEqual(logins(command), []);
  assert.deepEqual(variablesOf("run-workers", undefined), CONFIG_VARIABLES);
});

test("parseConfig() reads the named variables only", () => {
  const env = {
    LOG_LEVEL: "warn",
    get INFLUX_PASSWORD(): string {
      throw new Error("This variable must not be read");
    },
  };
  assert.equal(parseConfig(env, variablesOf("run-ingest", undefined)).logLevel, "warn");
  assert.throws(() => parseConfig(env), /must not be read/);
});

test("permissionsOf() names servers with their ports, and files", () => {
  const config = parseConfig({
    NATS_URL: "nats://a.example,tls://b.example:4333",
    NATS_CA_FILE: "/etc/ca.crt",
    INFLUX_URL: "https://influx.example",
    MARKETS: "binance:BTC-USDT",
    METRICS_PORT: "9100",
  });
  const [ingest, workers] = ["run-ingest", "run-workers"].map((command) => permissionsOf(command, config));
  const nats = ["a.example:4222", "b.example:4333"];
  assert.deepEqual(ingest!.net, [...nats, "stream.binance.com:9443", "127.0.0.1:9100"]);
  assert.deepEqual(workers!.net, [...nats, "influx.example:443", "127.0.0.1:9100"]);
  assert.deepEqual(ingest!.read, ["/etc/ca.crt"]);
});
