import type { Bus } from "../../src/bus/connection.ts";
import type { Lease } from "../../src/lease/lease.ts";
import { WorkerGroup, type WorkerGroupOptions } from "../../src/lease/worker_group.ts";
import { createLog } from "../../src/observe/log.ts";
import { type BusTest, eventually } from "../bus/harness.ts";
import { type HolderLog, sayWhileHeld } from "./holder_log.ts";

export const PIECES = Array.from({ length: 8 }, (_, shard) => `kline.${shard}`);

export interface TestWorker {
  readonly bus: Bus;
  readonly group: WorkerGroup;
  /** Pieces that it holds. */
  held(): string[];
  /** Waits until it holds that many. */
  holds(count: number, deadlineMs?: number): Promise<void>;
  /** Settles when it has ended, asked to or not. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

export interface TestWorkerOptions extends Partial<WorkerGroupOptions> {
  readonly work?: (lease: Lease) => Promise<void>;
}

/** A worker with a connection of its own, stopped at the end of the test. */
export async function startWorker(
  t: BusTest,
  log: HolderLog,
  { work, ...options }: TestWorkerOptions = {},
): Promise<TestWorker> {
  const bus = await t.connect();
  const group = new WorkerGroup(bus, {
    pieces: PIECES,
    log: createLog("silent"),
    newBroker: true,
    ...options,
  });
  const stop = new AbortController();
  const ended = group.run(
    AbortSignal.any([t.signal, stop.signal]),
    work ?? ((lease) => sayWhileHeld(lease, (held) => log.add(group.worker, held))),
  );
  // Whether it fails is asked later.
  ended.catch(() => undefined);
  const held = () => group.status().held.map(({ piece }) => piece);
  return {
    bus,
    group,
    held,
    holds: (count, deadlineMs) =>
      eventually(`a worker holds ${count} pieces`, () => held().length === count, deadlineMs),
    ended,
    stop() {
      stop.abort();
      return ended;
    },
  };
}

/** Two that share, on a bucket that knows all pieces. */
export async function startTwo(t: BusTest, log: HolderLog): Promise<[TestWorker, TestWorker]> {
  const before = await startWorker(t, log);
  await before.holds(8);
  await before.stop();
  const first = await startWorker(t, log, { newBroker: false });
  const second = await startWorker(t, log, { newBroker: false });
  await Promise.all([first.holds(4), second.holds(4)]);
  return [first, second];
}

/** How often it happened to any of them. */
export function count(workers: readonly TestWorker[], event: string): number {
  return workers.reduce((sum, { group }) => sum + group.events.get(event), 0);
}
