import assert from "node:assert/strict";
import { test } from "node:test";
import { CONFIG_VARIABLES } from "../../src/config.ts";
import { Command } from "./command.ts";

/** Environment, and the one line that it must cost; test/config_test.ts has all other values. */
const WRONG: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
  [{ MARKETS: "okx:BTC-USDT" }, /^MARKETS: "okx:BTC-USDT" .*; allowed: .*\n$/],
  [{ TICK_MAX_AGE: "60" }, /^TICK_MAX_AGE: "60" .*; allowed: .*\n$/],
  [{ INFLUX_URL: "http://u:hunter2@h:1" }, /^INFLUX_URL: "\[secret\]@h:1" .*; allowed: .*\n$/],
  [{ INFLUX_PASSWORD: "hunter2" }, /^INFLUX_USERNAME: is set without .*; allowed: .*\n$/],
];

for (const [env, line] of WRONG) {
  test(`a command refuses ${Object.entries(env).join().replace(",", "=")} in one line`, async (t) => {
    const workers = new Command(t, "run-workers", env);
    assert.deepEqual(await workers.ends(), { code: 2, signal: null });
    assert.match(workers.stderr, line);
    assert.ok(!workers.stderr.includes("hunter2"), workers.stderr);
    assert.equal(workers.stdout, "");
  });
}

test("an unknown command is refused in one line that names all others", async (t) => {
  const command = new Command(t, "runn");
  assert.deepEqual(await command.ends(), { code: 2, signal: null });
  assert.match(command.stderr, /^Cannot run "runn": expected one of run, .*run-workers.*\n$/);
});

test("record and replay refuse to go without FILE in one line", async (t) => {
  for (const command of [new Command(t, "record"), new Command(t, "replay")]) {
    assert.deepEqual(await command.ends(), { code: 2, signal: null });
    assert.match(command.stderr, /^FILE: is not set; allowed: .*\n$/);
  }
});

test("help lists every variable", async (t) => {
  const help = new Command(t, "help");
  assert.deepEqual(await help.ends(), { code: 0, signal: null });
  const [, ...lines] = help.stdout.trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => line.trim().split(" ")[0]),
    CONFIG_VARIABLES,
  );
});
