import { setTimeout as delay } from "node:timers/promises";
import { aborted } from "../actor/aborted.ts";
import type { Actor } from "../actor/actor.ts";
import { type SuperviseOptions, supervise } from "../actor/supervisor.ts";
import type { Logger } from "../observe/log.ts";
import type { IngestRole } from "./ingest_role.ts";
import type { KlineRole } from "./kline_role.ts";
import type { PersistRole } from "./persist_role.ts";

const CATCH_UP_DEADLINE_MS = 3_000;
const FLUSH_DEADLINE_MS = 8_000;
const POLL_MS = 10;

/** The roles that one process plays. */
export interface Roles {
  readonly ingest?: IngestRole | undefined;
  readonly kline?: KlineRole | undefined;
  readonly persist?: PersistRole | undefined;
}

/** Where it is written down what happens to the actors and how they are. */
export type ActorRecord = Pick<SuperviseOptions, "events" | "states">;

/** Actors that are started and stopped together. */
interface Stage {
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/**
 * Runs the actors of all roles until the signal is aborted or an actor cannot be kept running, then stops them in the
 * direction of the data: what ingest published still becomes candles, and what was closed is still stored.
 *
 * @returns how many lines were not stored
 * @throws what an actor could not be kept running for
 */
export async function runRoles(
  roles: Roles,
  log: Logger,
  signal: AbortSignal,
  record: ActorRecord = {},
): Promise<number> {
  const { ingest, kline, persist } = roles;
  const failed = new AbortController();
  const supervision = { ...record, log };
  const start = (actors: readonly Actor[]): Stage => {
    const stop = new AbortController();
    const done = supervise(actors, { ...supervision, signal: stop.signal });
    done.catch(() => failed.abort());
    return { stop, done };
  };
  const persistStage = start(persist?.supervised(supervision) ?? []);
  const klineStage = start(kline?.supervised(supervision) ?? []);
  const ingestStage = start(ingest?.supervised(supervision) ?? []);
  const stages = [ingestStage, klineStage, persistStage];

  await aborted(AbortSignal.any([signal, failed.signal]));

  await end(ingestStage);
  await ingest?.settle(AbortSignal.timeout(CATCH_UP_DEADLINE_MS));
  if (ingest !== undefined && kline !== undefined) {
    await until(() => messagesRead(kline) >= ingest.storedMessages);
  }
  await end(klineStage);
  await kline?.candles.flush(AbortSignal.timeout(CATCH_UP_DEADLINE_MS));
  // What other processes published is for them, or for the next start, to wait for.
  const readers = [
    ...(kline === undefined || persist === undefined ? [] : [persist.candleActor]),
    ...(ingest === undefined || persist === undefined ? [] : persist.tickActors),
  ];
  const deadline = AbortSignal.timeout(CATCH_UP_DEADLINE_MS);
  await Promise.all(readers.map((reader) => reader.caughtUp(deadline)));
  await end(persistStage);
  await persist?.flush(AbortSignal.timeout(FLUSH_DEADLINE_MS));
  await ingest?.close();
  await kline?.close();
  const left = (await persist?.close()) ?? 0;
  if (left > 0) log.error({ lines: left }, "InfluxDB did not take everything before the deadline");
  await Promise.all(stages.map(({ done }) => done));
  return left;
}

function messagesRead({ actors }: KlineRole): number {
  return actors.reduce((sum, actor) => sum + actor.status().messages, 0);
}

/** Stops a stage; how it ended is looked at when all are stopped. */
async function end({ stop, done }: Stage): Promise<void> {
  stop.abort();
  await done.catch(() => undefined);
}

async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + CATCH_UP_DEADLINE_MS;
  while (!condition() && performance.now() < deadlineMs) await delay(POLL_MS);
}
