import { randomBytes } from "node:crypto";
import type { Bus } from "../bus/connection.ts";
import { KeyValues } from "../bus/key_values.ts";
import type { Logger } from "../observe/log.ts";
import { Tally } from "../observe/tally.ts";
import { GroupRun, type GroupStatus } from "./group_run.ts";
import type { Lease } from "./lease.ts";

const BUCKET = "LEASES";

export interface WorkerGroupOptions {
  /** What this worker can do: `kline.3`, `ingest.binance`. */
  readonly pieces: readonly string[];
  readonly log: Logger;
  /**
   * Counts `acquired` leases, `taken_from_dead` of these, `released`, `handed_over` and `lost` ones, and `conflicts`:
   * attempts to take what somebody else has. @default a tally of its own
   */
  readonly events?: Tally;
  /**
   * Whether this process started the broker itself and with an empty folder, so that nobody can hold what its bucket
   * does not know; otherwise pieces that were never held are taken after 3.5 s. @default false
   */
  readonly newBroker?: boolean;
}

/**
 * One of any number of workers that divide pieces of work among themselves: at no time do two of them hold the same.
 *
 * @example
 * ```ts
 * const group = new WorkerGroup(bus, { pieces: ["kline.0", "kline.1"], log });
 * await group.run(signal, async (lease) => {
 *   while (!lease.signal.aborted) if (lease.isHeld()) publish(lease.token);
 * });
 * ```
 */
export class WorkerGroup {
  /** New in every process, and used by no other. */
  readonly worker = randomBytes(6).toString("hex");
  readonly events: Tally;
  readonly #bus: Bus;
  readonly #options: WorkerGroupOptions;
  #run: GroupRun | undefined;

  constructor(bus: Bus, options: WorkerGroupOptions) {
    this.#bus = bus;
    this.#options = options;
    this.events = options.events ?? new Tally();
  }

  /**
   * Holds this worker's share until the signal is aborted, then gives everything back. `work` is called for each lease
   * and returns once its signal is aborted; the piece is given back when it has returned, so it may finish what it has
   * in hand for as long as `lease.isHeld()`.
   *
   * @throws what `work` throws, once all leases are given back
   */
  async run(signal: AbortSignal, work: (lease: Lease) => Promise<void>): Promise<void> {
    if (this.#run !== undefined) throw new Error("Cannot run a worker group twice at the same time");
    const { pieces, log, newBroker = false } = this.#options;
    const { worker, events } = this;
    const bucket = new KeyValues(this.#bus, BUCKET);
    this.#run = new GroupRun(this.#bus, { worker, pieces, log, events, newBroker, bucket, work });
    try {
      await this.#run.until(signal);
    } finally {
      this.#run = undefined;
    }
  }

  status(): GroupStatus {
    return this.#run?.status() ?? { worker: this.worker, workers: {}, held: [], idle: this.#options.pieces };
  }
}
