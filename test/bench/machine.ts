import { cpus, loadavg, totalmem } from "node:os";

const GIB = 2 ** 30;

/** The machine and what else it does, as every figure must be read beside it. */
export function describeMachine(): string {
  const [{ model } = { model: "unknown" }] = cpus();
  const memory = `${Math.round(totalmem() / GIB)} GiB`;
  return `${cpus().length} × ${model.trim()}, ${memory}, Node ${process.versions.node}, load ${loadavg()[0]!.toFixed(2)}`;
}

/** Prints rows as a Markdown table. */
export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]!.length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  const rule = widths.map((width) => "-".repeat(width));
  process.stdout.write(`${[line(header), line(rule), ...rows.map(line)].join("\n")}\n\n`);
}

/** A rate in thousands or millions a second. */
export function formatRate(perSecond: number): string {
  return perSecond >= 1e6 ? `${(perSecond / 1e6).toFixed(2)} M/s` : `${Math.round(perSecond / 1e3)} k/s`;
}

/** The middle one of some figures. */
export function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)]!;
}
