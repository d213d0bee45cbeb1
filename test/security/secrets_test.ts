import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { freePort } from "../../src/servers/port.ts";
import { until } from "../pipeline/harness.ts";
import { Command, privateFolder } from "../run/command.ts";
import { createPassword, encodeLogin, startSecureInfluxd } from "./secure_influxd.ts";
import { startSecureNats } from "./secure_nats.ts";

const SAYS_DEADLINE_MS = 60_000;

/** A command, its environment, and what it must say of its failure. */
type Failure = readonly [command: string, env: Readonly<Record<string, string>>, says: RegExp];

test("what goes wrong with a login shows no secret, whatever the log level", async (t) => {
  const nats = await startSecureNats(t, { passwords: { persist: createPassword() } });
  const influxd = await startSecureInfluxd(t);
  const folder = await privateFolder(t);
  const write = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const nowhere = `127.0.0.1:${await freePort()}`;
  const [natsPassword, influxPassword] = [createPassword(), createPassword()];
  // No seed any more, but enough to find it.
  const cutSeed = nats.secrets[0]!.slice(0, -2);
  const trusted = { NATS_URL: nats.url, NATS_CA_FILE: nats.caFile };
  const toNats = { ...trusted, NATS_USER: "persist", NATS_PASSWORD: natsPassword };
  const toInflux = { INFLUX_URL: influxd.url, INFLUX_USERNAME: "admin", INFLUX_PASSWORD: influxPassword };
  const [kline, persist] = [
    { ...toNats, ACTORS: "kline" },
    { ...toNats, ...toInflux, ACTORS: "persist" },
  ];
  const failures: readonly Failure[] = [
    ["run-ingest", { ...toNats, MARKETS: "sim:BTC-USDT" }, /Authorization Violation/],
    ["run-workers", { ...kline, NATS_URL: `nats://${nowhere}` }, /CONNECTION_REFUSED/],
    ["run-workers", { ...kline, NATS_CA_FILE: write("ca.crt", "") }, /unable to verify/],
    ["run-workers", { ...kline, NATS_CA_FILE: join(folder, "nothing") }, /ENOENT/],
    ["run-workers", { ...kline, NATS_PASSWORD: "" }, /^NATS_USER: is set without NATS_PASSWORD/],
    ["run-workers", { ...persist, NATS_URL: `nats://persist:${natsPassword}@${nowhere}` }, /carries a user/],
    [
      "run-workers",
      { ...trusted, ACTORS: "kline", NATS_NKEY_SEED_FILE: write("cut.nk", cutSeed) },
      /Cannot log in with .*cut\.nk/,
    ],
    ["run-workers", persist, /authorization failed/],
    ["run-workers", { ...persist, INFLUX_URL: `http://${nowhere}` }, /ECONNREFUSED/],
    ["inspect", toNats, /^Cannot inspect/],
    ["provision", toInflux, /authorization failed/],
  ];
  const commands = failures.map(
    ([name, env, says]) => [new Command(t, name, { LOG_LEVEL: "trace", ...env }), says] as const,
  );
  const passwords = [natsPassword, influxPassword, influxd.admin.password];
  const logins = [influxPassword, natsPassword].map((password) =>
    encodeLogin({ username: "admin", password }),
  );
  for (const [command, says] of commands) {
    const said = () => says.test(command.stderr);
    await until(`"${command.name}" to say ${says}`, said, SAYS_DEADLINE_MS).catch((cause: unknown) => {
      throw new Error(command.stderr, { cause });
    });
  }
  for (const [command] of commands) command.send("SIGTERM");
  for (const [command] of commands) {
    await command.exited;
    const text = command.stdout + command.stderr;
    for (const secret of [...nats.secrets, ...passwords, ...logins, cutSeed]) {
      assert.ok(!text.includes(secret), text);
    }
  }
});
