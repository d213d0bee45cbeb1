import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { duration } from "../../src/config/quantities.ts";
import { FAILURES, FINDINGS, type Finding } from "./balance.ts";
import { type ChaosReport, runChaos } from "./chaos_run.ts";
import { Endings } from "./endings.ts";
import { FAULTS } from "./faults.ts";
import { recoveryTable } from "./recovery_table.ts";

/** `make chaos`: faults at random, as a seed determines, and a balance sheet; fails if a candle or a tick is not right. */

const MAX_COMPLAINTS = 60;

const { values } = parseArgs({ options: { only: { type: "string" } } });
const durationMs = duration({ min: "1s", max: "7d" }).parse(process.env.DURATION || "20m");
const seed = Number(process.env.SEED || Date.now() % 100_000);
const faults = FAULTS.filter(
  ({ name }) => values.only === undefined || values.only.split(",").includes(name),
);
const print = (line: string) => void process.stdout.write(`${line}\n`);

const endings = new Endings();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void endings.run().finally(() => process.exit(1)));
}
print(`seed ${seed}, ${durationMs / 1_000} s`);
try {
  const report = await runChaos({ seed, faults, durationMs, print }, endings);
  printBalance(report);
  if (report.complaints.length + report.ticks.complaints.length > 0) await keepLogs(report);
  process.exitCode = isBalanced(report) ? 0 : 1;
} finally {
  await endings.run();
}

function isBalanced({ counts, faults: records, ticks }: ChaosReport): boolean {
  return (
    FAILURES.every((finding) => counts[finding] === 0) &&
    ticks.unexplained + ticks.wrong === 0 &&
    records.every(({ liveMs, storedMs }) => Number.isFinite(liveMs + storedMs))
  );
}

function printBalance({ counts, complaints, faults: records, ticks }: ChaosReport): void {
  print("");
  for (const line of recoveryTable(records)) print(line);
  const line = (what: string, count: number) => print(what.padEnd(46) + String(count).padStart(8));
  print("");
  line("faults", records.length);
  line("trades sent", ticks.sent);
  line("  stored in the history", ticks.stored);
  line("  lost, near a fault", ticks.lost);
  line("  lost without a fault", ticks.unexplained);
  line("  stored otherwise than they were", ticks.wrong);
  line(
    "candles compared",
    Object.values(counts).reduce((sum, count) => sum + count, 0),
  );
  for (const [finding, meaning] of Object.entries(FINDINGS)) line(`  ${meaning}`, counts[finding as Finding]);
  for (const complaint of [...complaints, ...ticks.complaints].slice(0, MAX_COMPLAINTS)) print(complaint);
}

async function keepLogs({ logs, complaints, ticks }: ChaosReport): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "tickline-chaos-"));
  for (const [name, log] of logs) await writeFile(join(folder, `${name}.log`), log);
  await writeFile(join(folder, "complaints.txt"), [...complaints, ...ticks.complaints].join("\n"));
  print(`\nlogs and all complaints: ${folder}`);
}
