import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { FAILURES } from "./balance.ts";
import { type ChaosReport, runChaos } from "./chaos_run.ts";
import { Endings } from "./endings.ts";
import type { FaultKind } from "./fault_kind.ts";
import { FAULTS } from "./faults.ts";

/** Longer than all leases. */
const OUTAGE_MS = 4_500;
const NAMES = [
  "worker killed",
  "duplicates",
  "consumers deleted",
  "ingest killed",
  "worker disconnected",
  "TICKS deleted",
  "SNAPSHOTS deleted",
  "influxd killed",
];

test("whatever fails, every candle is stored, and none is wrong without saying so", async (t) => {
  const outage = { ...kindOf("broker killed"), lastsMs: [OUTAGE_MS, OUTAGE_MS] } as const;
  const report = await run(t, { seed: 3, faults: [...NAMES.map(kindOf), outage] });
  assertBalance(report);
  assert.ok(report.counts.equal > 0);
  assert.equal(report.counts.excused, 0, "no interval is left without a candle");
});

function kindOf(name: string): FaultKind {
  const kind = FAULTS.find((each) => each.name === name);
  assert.ok(kind !== undefined, `there is a fault "${name}"`);
  return kind;
}

/** Each fault once, in order. */
async function run(
  t: TestContext,
  { seed, faults }: { seed: number; faults: readonly FaultKind[] },
): Promise<ChaosReport> {
  const endings = new Endings();
  const print = (line: string) => t.diagnostic(line);
  try {
    const report = await runChaos({ seed, faults, inOrder: true, durationMs: 120_000, print }, endings);
    assert.equal(report.faults.length, faults.length);
    return report;
  } finally {
    await endings.run();
  }
}

function assertBalance({ counts, ticks, faults, complaints }: ChaosReport): void {
  const failures = FAILURES.filter((finding) => counts[finding] > 0);
  assert.deepEqual(failures, [], complaints.join("\n"));
  assert.deepEqual({ unexplained: ticks.unexplained, wrong: ticks.wrong }, { unexplained: 0, wrong: 0 });
  const stuck = faults.filter(({ liveMs, storedMs }) => !Number.isFinite(liveMs + storedMs));
  assert.deepEqual(stuck, [], "the pipeline recovers from every fault");
}
