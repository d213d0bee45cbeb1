import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { until } from "../pipeline/harness.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** Program and arguments that run TypeScript. */
const NODE: readonly string[] = [process.execPath, "--import", "tsx"];
const OUTPUT_DEADLINE_MS = 60_000;
const EXIT_DEADLINE_MS = 30_000;

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A command of tickline as a process of its own, with an environment that holds nothing but what the test says. */
export class Command {
  readonly name: string;
  readonly exited: Promise<Exit>;
  stdout = "";
  stderr = "";
  readonly #child: ChildProcess;
  #exit: Exit | undefined;

  /** @param t what it ends with */
  constructor(
    t: Pick<TestContext, "after">,
    name: string,
    env: Readonly<Record<string, string>> = {},
    [program, ...args]: readonly string[] = NODE,
  ) {
    this.name = name;
    const child = spawn(program!, [...args, "src/main.ts", ...name.split(" ")], {
      cwd: ROOT,
      env: { PATH: process.env.PATH, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    child.stdout.on("data", (chunk: Buffer) => (this.stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.exited = new Promise((resolve) => {
      child.once("close", (code, signal) => {
        this.#exit = { code, signal };
        resolve(this.#exit);
      });
    });
    t.after(async () => {
      this.send("SIGKILL");
      await this.exited;
    });
  }

  send(signal: NodeJS.Signals): void {
    if (this.#exit === undefined) this.#child.kill(signal);
  }

  /** Waits until standard output matches; the match. */
  prints(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#shows(pattern, () => this.stdout);
  }

  /** Waits until the log matches; the match. */
  logs(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#shows(pattern, () => this.stderr);
  }

  /** Waits until the process has ended. */
  async ends(deadlineMs = EXIT_DEADLINE_MS): Promise<Exit> {
    try {
      await until(`"${this.name}" to end`, () => this.#exit !== undefined, deadlineMs);
    } catch (cause) {
      throw this.#unexpected("does not end", cause);
    }
    return this.#exit!;
  }

  async #shows(pattern: RegExp, output: () => string): Promise<RegExpExecArray> {
    let match: RegExpExecArray | null = null;
    const matches = () => {
      match = pattern.exec(output());
      if (match === null && this.#exit !== undefined) throw this.#unexpected(`ended before ${pattern}`);
      return match !== null;
    };
    try {
      await until(`"${this.name}" to show ${pattern}`, matches, OUTPUT_DEADLINE_MS);
    } catch (cause) {
      throw this.#unexpected(`does not show ${pattern}`, cause);
    }
    return match!;
  }

  #unexpected(what: string, cause?: unknown): Error {
    return new Error(`"${this.name}" ${what}\n${this.stdout}\n${this.stderr}`, { cause });
  }
}

/** A folder for the temporary files of commands, removed after the test. */
export async function privateFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "tickline-run-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** What commands left in their folder; the compiler's cache is not theirs. */
export async function leftIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => !name.startsWith("tsx-"));
}

/** Command lines of the servers whose files are in a folder, whoever their parent is by now. */
export function serversIn(folder: string): string[] {
  const { stdout } = spawnSync("ps", ["-A", "-ww", "-o", "args="], { encoding: "utf8" });
  return stdout.split("\n").filter((line) => line.includes(folder));
}
