import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** How `make` runs tickline, which it has bundled before it runs a benchmark. */
export const TICKLINE = ["--max-semi-space-size=8", "--heap-growing-percent=60", ".tools/build/main.js"];
/** How a TypeScript module of the benchmark is run. */
export const TYPESCRIPT = ["--import", "tsx"];

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** What the status line says of a lag: `lag p50 0.98 ms p99 117 ms max 130 ms`. */
const LAG = /lag p50 ([\d.]+) ms p99 ([\d.]+) ms max ([\d.]+) ms/;

/** Lags of one status interval, ms. */
export interface LagLine {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** A process of the benchmark, with the lines that it printed. */
export class BenchProcess {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown[]>;

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(process.execPath, args, {
      cwd: ROOT,
      env: { PATH: process.env.PATH, ...env },
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#exited = once(this.#child, "exit");
    createInterface({ input: this.#child.stdout! }).on("line", (line) => this.lines.push(line));
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Waits for a line that matches; the match. */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      for (const line of this.lines) {
        const match = pattern.exec(line);
        if (match !== null) return match;
      }
      if (this.#child.exitCode !== null) throw new Error(`Process ended before ${pattern}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** The lags of all status lines so far. */
  lags(): LagLine[] {
    return this.lines.flatMap((line) => {
      const match = LAG.exec(line);
      if (match === null) return [];
      const [p50Ms, p99Ms, maxMs] = match.slice(1).map(Number);
      return [{ p50Ms: p50Ms!, p99Ms: p99Ms!, maxMs: maxMs! }];
    });
  }

  /** Writes a line to its standard input. */
  write(line: string): void {
    this.#child.stdin!.write(`${line}\n`);
  }

  /** Closes its standard input. */
  endInput(): void {
    this.#child.stdin!.end();
  }

  /** Tells it to stop and waits until it has. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    if (this.#child.exitCode === null) this.#child.kill(signal);
    await this.#exited;
  }
}
