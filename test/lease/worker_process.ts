import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { eventually } from "../bus/harness.ts";
import type { Held, HolderLog } from "./holder_log.ts";

const SCRIPT = fileURLToPath(new URL("./worker.ts", import.meta.url));
/** What was said this long ago still counts as held. */
const RECENT_NS = 500_000_000;

/** A worker that can be killed and frozen. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  /** When each piece was last held. */
  readonly #heldNs = new Map<string, number>();
  #worker = "";

  /** @param signal aborted at the end of the test, whatever became of it */
  constructor(url: string, pieces: readonly string[], log: HolderLog, signal: AbortSignal) {
    this.#child = spawn(process.execPath, ["--import", "tsx", SCRIPT, url, pieces.join(",")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    signal.addEventListener("abort", () => this.send("SIGKILL"));
    this.#exited = new Promise((resolve) => this.#child.once("close", () => resolve()));
    createInterface({ input: this.#child.stdout! }).on("line", (line) => {
      const said = JSON.parse(line) as Held | { readonly worker: string };
      if ("worker" in said) this.#worker = said.worker;
      else {
        this.#heldNs.set(said.piece, said.atNs);
        log.add(this.#worker, said);
      }
    });
  }

  send(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Pieces that it holds, or did a moment ago. */
  held(): string[] {
    const sinceNs = Number(process.hrtime.bigint()) - RECENT_NS;
    return [...this.#heldNs].filter(([, atNs]) => atNs > sinceNs).map(([piece]) => piece);
  }

  /** Waits until it holds that many pieces. */
  holds(count: number, deadlineMs?: number): Promise<void> {
    return eventually(`a worker holds ${count} pieces`, () => this.held().length === count, deadlineMs);
  }

  /** Waits until it has ended and all that it said is known. */
  ends(): Promise<void> {
    return this.#exited;
  }
}
