import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { duration } from "../../src/config/quantities.ts";
import { type ChaosReport, type FaultRecord, runChaos } from "./chaos_run.ts";
import { FAULTS } from "./faults.ts";

/** `make chaos`: faults at random, as a seed determines, and a balance sheet; fails if a candle is wrong or absent. */

const MAX_COMPLAINTS = 60;

const { values } = parseArgs({ options: { only: { type: "string" } } });
const durationMs = duration({ min: "1s", max: "7d" }).parse(process.env.DURATION || "10m");
const seed = Number(process.env.SEED || Date.now() % 100_000);
const faults = FAULTS.filter(
  ({ name }) => values.only === undefined || values.only.split(",").includes(name),
);
const print = (line: string) => void process.stdout.write(`${line}\n`);

print(`seed ${seed}, ${durationMs / 1_000} s`);
const report = await runChaos({ seed, faults, durationMs, print });
printBalance(report);
const { wrong, absent } = report.counts;
if (report.complaints.length > 0) await keepLogs(report);
process.exitCode = wrong + absent === 0 ? 0 : 1;

function printBalance({ counts, complaints, faults: records, trades }: ChaosReport): void {
  print(`\n${"fault".padEnd(20)}${"times".padStart(6)}${"median".padStart(10)}${"worst".padStart(10)}`);
  for (const { name } of FAULTS) {
    const times = records.filter((record) => record.name === name);
    if (times.length > 0) print(name.padEnd(20) + String(times.length).padStart(6) + recoveryOf(times));
  }
  const compared = Object.values(counts).reduce((sum, count) => sum + count, 0);
  print(`\n${"trades sent".padEnd(38)}${trades}\n${"candles compared".padEnd(38)}${compared}`);
  print(`${"  equal in every field".padEnd(38)}${counts.equal}`);
  print(`${"  marked as incomplete, near a loss".padEnd(38)}${counts.marked}`);
  print(`${"  marked without a loss".padEnd(38)}${counts.unfounded}`);
  print(`${"  absent, near a loss".padEnd(38)}${counts.excused}`);
  print(`${"  absent without a loss".padEnd(38)}${counts.absent}`);
  print(`${"  wrong and not marked".padEnd(38)}${counts.wrong}`);
  for (const line of complaints.slice(0, MAX_COMPLAINTS)) print(line);
}

function recoveryOf(records: readonly FaultRecord[]): string {
  const times = records.map(({ recoveryMs }) => recoveryMs).sort((a, b) => a - b);
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`.padStart(10);
  return seconds(times[Math.floor((times.length - 1) / 2)]!) + seconds(times.at(-1)!);
}

async function keepLogs({ logs, complaints }: ChaosReport): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "tickline-chaos-"));
  for (const [name, log] of logs) await writeFile(join(folder, `${name}.log`), log);
  await writeFile(join(folder, "complaints.txt"), `${complaints.join("\n")}\n`);
  print(`\nlogs and all complaints: ${folder}`);
}
