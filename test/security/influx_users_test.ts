import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog } from "../../src/observe/log.ts";
import { createInfluxClient, provision } from "../../src/store/provision.ts";
import { WriteEndpoint } from "../../src/store/write_endpoint.ts";
import { Command } from "../run/command.ts";
import { type InfluxLogin, startSecureInfluxd } from "./secure_influxd.ts";

const RETENTION = { candlesMs: 0, ticksMs: 0 };
const FORBIDDEN = /403 Forbidden/;
const UNKNOWN = /401 Unauthorized/;

test("users of InfluxDB may write, or read, or set it up, and nothing else", async (t) => {
  const influxd = await startSecureInfluxd(t);
  const { signal } = new AbortController();
  const context = { log: createLog("silent"), signal };
  const target = (login: Partial<InfluxLogin>) => ({ url: influxd.url, database: "market", ...login });
  const write = (login: Partial<InfluxLogin>) =>
    new WriteEndpoint({
      target: target(login),
      retentionPolicy: "candles",
      precision: "ms",
      requestTimeoutMs: 10_000,
    }).post(["candles,market=BTC-USDT close=1 1"], signal);
  const read = (login: Partial<InfluxLogin>) =>
    createInfluxClient(target(login)).query("SELECT * FROM candles.candles");

  assert.equal(await provision(target(influxd.admin), RETENTION, context), true);
  const writer = await influxd.createUser("persist", "WRITE ON market");
  const reader = await influxd.createUser("gateway", "READ ON market");
  const stranger = await influxd.createUser("stranger");

  assert.deepEqual(await write(writer), { kind: "stored" });
  assert.equal((await read(reader)).length, 1);
  await assert.rejects(read(writer), FORBIDDEN);
  await assert.rejects(read({}), UNKNOWN);
  await assert.rejects(read({ ...reader, password: "" }), UNKNOWN);
  for (const login of [reader, stranger]) assert.equal(causeOf(await write(login)), "status_403");
  for (const login of [{}, { ...writer, password: "" }])
    assert.equal(causeOf(await write(login)), "status_401");
  for (const login of [writer, reader, stranger]) {
    assert.equal(await provision(target(login), RETENTION, context), false);
    const client = createInfluxClient(target(login));
    await assert.rejects(client.dropDatabase("market"), FORBIDDEN);
    await assert.rejects(client.createUser("intruder", "intruder", true), FORBIDDEN);
  }
});

test("provision says in one line that it needs an admin, and sets up nothing without", async (t) => {
  const influxd = await startSecureInfluxd(t);
  const { username, password } = await influxd.createUser("persist");
  const env = { INFLUX_URL: influxd.url, INFLUX_USERNAME: username, INFLUX_PASSWORD: password };
  const command = new Command(t, "provision", env);
  assert.deepEqual(await command.ends(), { code: 1, signal: null });
  assert.match(command.stderr, /^Cannot set up InfluxDB: user "persist" is not an admin .*\n$/);
  const client = createInfluxClient({ url: influxd.url, database: "market", ...influxd.admin });
  assert.deepEqual(await client.getDatabaseNames(), []);
});

function causeOf(verdict: object): unknown {
  return "cause" in verdict ? verdict.cause : undefined;
}
