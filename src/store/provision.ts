import { setTimeout as delay } from "node:timers/promises";
import { InfluxDB } from "influx";
import { isDenied } from "../actor/denied.ts";
import type { Logger } from "../observe/log.ts";
import { untilAborted } from "./until_aborted.ts";
import type { InfluxTarget } from "./write_endpoint.ts";

export const CANDLE_POLICY = "candles";
export const TICK_POLICY = "ticks";

/** A retention policy of the database. */
export type Policy = typeof CANDLE_POLICY | typeof TICK_POLICY;

const RETRY_MS = 500;
/** The client has promises that never settle: when the connection is cut within an answer, for one. */
const ATTEMPT_TIMEOUT_MS = 5_000;
const FORBIDDEN = 403;
const SHARDS_TOO_LONG = "must be greater than the shard duration";

export interface Retention {
  /** How long candles are kept, ms; 0: for ever. */
  readonly candlesMs: number;
  /** How long ticks are kept, ms; 0: for ever. */
  readonly ticksMs: number;
}

export interface ProvisionOptions {
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Told of each policy that was missing: it is empty, if it is there. */
  readonly onCreate?: (policy: Policy) => void;
}

/** A client for queries and administration; the package's own writer is not used. */
export function createInfluxClient({ url, database, username, password }: InfluxTarget): InfluxDB {
  const { hostname, pathname, port, protocol } = new URL(url);
  const scheme = protocol === "https:" ? "https" : "http";
  return new InfluxDB({
    host: hostname,
    port: Number(port || (scheme === "https" ? 443 : 80)),
    path: pathname.replace(/\/$/, ""),
    protocol: scheme,
    database,
    ...(username === undefined ? {} : { username, password: password ?? "" }),
  });
}

/**
 * Creates the database and its two retention policies, or gives them the configured durations. Tries again until
 * InfluxDB is there. Only an admin may do this: for another user all stays as it is.
 *
 * @returns whether the user may
 * @throws {Error} if the runtime does not let this process connect
 */
export async function provision(
  target: InfluxTarget,
  retention: Retention,
  { log, signal, onCreate = () => undefined }: ProvisionOptions,
): Promise<boolean> {
  const client = createInfluxClient(target);
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    try {
      const attempted = tryProvision({ client, database: target.database, onCreate }, retention);
      await untilAborted(untilAborted(attempted, AbortSignal.timeout(ATTEMPT_TIMEOUT_MS)), signal);
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (isForbidden(error)) return false;
      if (isDenied(error)) throw error;
      // The client hangs the request with its credentials on the error: only the message is safe.
      const reason = error instanceof Error ? error.message : String(error);
      if (attempt % 20 === 0) log.warn({ reason, database: target.database }, "cannot provision InfluxDB");
      await delay(RETRY_MS, undefined, { signal });
    }
  }
}

interface Site {
  readonly client: InfluxDB;
  readonly database: string;
  readonly onCreate: (policy: Policy) => void;
}

async function tryProvision(site: Site, retention: Retention): Promise<void> {
  await site.client.createDatabase(site.database);
  await setPolicy(site, CANDLE_POLICY, retention.candlesMs);
  await setPolicy(site, TICK_POLICY, retention.ticksMs);
}

async function setPolicy(
  { client, database, onCreate }: Site,
  name: Policy,
  durationMs: number,
): Promise<void> {
  const options = {
    duration: durationMs === 0 ? "INF" : `${durationMs}ms`,
    replication: 1,
    isDefault: name === CANDLE_POLICY,
    database,
  };
  const known = await client.showRetentionPolicies(database);
  if (!known.some((policy) => policy.name === name)) {
    // An answer that is lost says nothing: InfluxDB may have made it.
    await client.createRetentionPolicy(name, options).finally(() => onCreate(name));
    return;
  }
  try {
    await client.alterRetentionPolicy(name, options);
  } catch (error) {
    if (!(error instanceof Error && error.message.includes(SHARDS_TOO_LONG))) throw error;
    // A shard that covers more than is kept: let InfluxDB choose, as it does for a new policy (0s).
    const duration = `${options.duration} shard duration 0s`;
    await client.alterRetentionPolicy(name, { ...options, duration });
  }
}

/** The client hangs the answer on an error whose class it keeps to itself. */
function isForbidden(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { res } = error as { res?: { statusCode?: number } };
  return res?.statusCode === FORBIDDEN;
}
