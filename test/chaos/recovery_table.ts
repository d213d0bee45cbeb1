import { FAULTS } from "./faults.ts";
import type { FaultRecord } from "./strike.ts";

/** The recovery times of each kind of fault, as a table in Markdown; those of faults that had company only count. */
export function recoveryTable(records: readonly FaultRecord[]): string[] {
  const lines = [
    "| fault | times | alone | live, median | worst | stored, median | worst | what is promised |",
    "| --- | --: | --: | --: | --: | --: | --: | --- |",
  ];
  for (const { name, promise } of FAULTS) {
    const own = records.filter((record) => record.name === name);
    if (own.length === 0) continue;
    const alone = own.filter(({ isAlone }) => isAlone);
    const live = medianAndWorst(alone.map(({ liveMs }) => liveMs));
    const stored = medianAndWorst(alone.map(({ storedMs }) => storedMs));
    lines.push(`| ${[name, own.length, alone.length, ...live, ...stored, promise].join(" | ")} |`);
  }
  return lines;
}

function medianAndWorst(times: readonly number[]): [string, string] {
  if (times.length === 0) return ["", ""];
  const sorted = [...times].sort((a, b) => a - b);
  return [secondsOf(sorted[Math.floor((sorted.length - 1) / 2)]!), secondsOf(sorted.at(-1)!)];
}

function secondsOf(ms: number): string {
  return Number.isFinite(ms) ? `${(ms / 1_000).toFixed(2)} s` : "never";
}
