import assert from "node:assert/strict";
import { test } from "node:test";
import { runChaos } from "./chaos_run.ts";
import { FAULTS } from "./faults.ts";

const NAMES = [
  "worker killed",
  "duplicates",
  "consumers deleted",
  "ingest killed",
  "broker killed",
  "influxd killed",
];

test("whatever fails, every candle is stored, and none is wrong without saying so", async (t) => {
  const { counts, complaints, faults } = await runChaos({
    seed: 3,
    faults: NAMES.map((name) => FAULTS.find((kind) => kind.name === name)!),
    inOrder: true,
    durationMs: 120_000,
    print: (line) => t.diagnostic(line),
  });
  assert.deepEqual(
    { wrong: counts.wrong, absent: counts.absent },
    { wrong: 0, absent: 0 },
    complaints.join("\n"),
  );
  assert.ok(counts.equal > 0);
  assert.deepEqual(
    faults.filter(({ recoveryMs }) => !Number.isFinite(recoveryMs)),
    [],
    "the pipeline recovers from every fault",
  );
});

test("an outage of the broker that outlasts all leases leaves no interval without a candle", async (t) => {
  const killed = FAULTS.find(({ name }) => name === "broker killed")!;
  const { counts, complaints, faults } = await runChaos({
    seed: 4,
    faults: [{ ...killed, lastsMs: [4_500, 4_500] }],
    inOrder: true,
    durationMs: 120_000,
    print: (line) => t.diagnostic(line),
  });
  const { wrong, absent, excused } = counts;
  assert.deepEqual({ wrong, absent, excused }, { wrong: 0, absent: 0, excused: 0 }, complaints.join("\n"));
  assert.equal(faults.length, 1);
});
