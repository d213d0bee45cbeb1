import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";

const STOP_DEADLINE_MS = 5_000;
const READY_DEADLINE_MS = 20_000;
const READY_POLL_MS = 20;
const MAX_OUTPUT_CHARS = 4_000;

export interface ServerProcessOptions {
  readonly name: string;
  readonly binary: string;
  readonly args: readonly string[];
  /** Resolves to true once the server takes requests. */
  readonly isReady: () => Promise<boolean>;
}

/**
 * A server as a child process. A Ctrl-C on the terminal does not reach it, so that its users can finish first; yet
 * it dies with us, however we die.
 */
export class ServerProcess {
  readonly #options: ServerProcessOptions;
  #child: ChildProcess | undefined;
  #output = "";
  readonly #killAtExit = () => void this.#child?.kill("SIGKILL");

  constructor(options: ServerProcessOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /**
   * Starts the server and waits until it takes requests.
   *
   * @throws {Error} with the server's last lines if it ends or is not ready within 20 s
   */
  async start(): Promise<void> {
    const { name, isReady } = this.#options;
    const child = this.#spawn();
    let failure: string | undefined;
    child.once("error", (error) => {
      failure = `fails with "${error.message}"`;
    });
    child.once("exit", (code, signal) => {
      failure ??= `ends with ${code ?? signal}`;
    });
    const deadlineMs = performance.now() + READY_DEADLINE_MS;
    while (!(await isReady()) || failure !== undefined) {
      if (performance.now() > deadlineMs) failure ??= "is not ready in time";
      if (failure !== undefined) {
        await this.stop();
        throw new Error(`Cannot start ${name}: it ${failure}\n${this.#output}`);
      }
      await delay(READY_POLL_MS);
    }
  }

  #spawn(): ChildProcess {
    const { binary, args } = this.#options;
    const [command, ...rest] = hasSetpriv()
      ? ["setpriv", "--pdeathsig", "KILL", "--", binary, ...args]
      : [binary, ...args];
    const child = spawn(command!, rest, { detached: true, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    this.#output = "";
    const keep = (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString()).slice(-MAX_OUTPUT_CHARS);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    process.once("exit", this.#killAtExit);
    return child;
  }

  /** Sends a signal to the server. */
  kill(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends the server, a frozen one too: SIGTERM, then SIGKILL after 5 s. Resolves when it is gone. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    process.removeListener("exit", this.#killAtExit);
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill("SIGCONT");
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_DEADLINE_MS);
    await gone;
    clearTimeout(timer);
  }
}

let setpriv: boolean | undefined;

function hasSetpriv(): boolean {
  setpriv ??= spawnSync("setpriv", ["--version"]).status === 0;
  return setpriv;
}
