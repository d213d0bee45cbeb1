import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { until } from "../pipeline/harness.ts";
import { privateFolder } from "../run/command.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** nats-server, influxd, three workers and two ingests. */
const PROCESSES = 7;
const DEADLINE_MS = 60_000;

test("make chaos leaves no process behind when it is told to stop", async (t) => {
  const chaos = spawn(process.execPath, ["--import", "tsx", "test/chaos/chaos.ts"], {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: await privateFolder(t) },
    stdio: "ignore",
  });
  t.after(() => chaos.kill("SIGKILL"));
  const ended = once(chaos, "exit");
  let children: number[] = [];
  const areAllThere = () => {
    children = childrenOf(chaos.pid!);
    return children.length >= PROCESSES;
  };
  await until("all processes to run", areAllThere, DEADLINE_MS);
  chaos.kill("SIGTERM");
  await ended;
  await until("all processes to end", () => !children.some(isRunning), DEADLINE_MS);
  assert.equal(chaos.exitCode, 1);
});

function childrenOf(pid: number): number[] {
  const { stdout } = spawnSync("ps", ["-o", "pid=", "--ppid", String(pid)], { encoding: "utf8" });
  return stdout.split("\n").filter(Boolean).map(Number);
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
