import { setTimeout as delay } from "node:timers/promises";
import { InfluxDB } from "influx";
import type { Logger } from "../observe/log.ts";
import type { InfluxTarget } from "./influx_lane.ts";

export const CANDLE_POLICY = "candles";
export const TICK_POLICY = "ticks";

const RETRY_MS = 500;

export interface Retention {
  /** How long candles are kept, ms; 0: for ever. */
  readonly candlesMs: number;
  /** How long ticks are kept, ms; 0: for ever. */
  readonly ticksMs: number;
}

export interface ProvisionOptions {
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** A client for queries and administration; the package's own writer is not used. */
export function createInfluxClient({ url, database, username, password }: InfluxTarget): InfluxDB {
  const { hostname, port, protocol } = new URL(url);
  const scheme = protocol === "https:" ? "https" : "http";
  return new InfluxDB({
    host: hostname,
    port: Number(port || (scheme === "https" ? 443 : 80)),
    protocol: scheme,
    database,
    ...(username === undefined ? {} : { username, password: password ?? "" }),
  });
}

/**
 * Creates the database and its two retention policies, or gives them the configured durations. Tries again until
 * InfluxDB is there.
 */
export async function provision(
  target: InfluxTarget,
  retention: Retention,
  { log, signal }: ProvisionOptions,
): Promise<void> {
  const client = createInfluxClient(target);
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    try {
      await client.createDatabase(target.database);
      await setPolicy(client, target.database, CANDLE_POLICY, retention.candlesMs);
      await setPolicy(client, target.database, TICK_POLICY, retention.ticksMs);
      return;
    } catch (error) {
      // The client hangs the request with its credentials on the error: only the message is safe.
      const reason = error instanceof Error ? error.message : String(error);
      if (attempt % 20 === 0) log.warn({ reason, database: target.database }, "cannot provision InfluxDB");
      await delay(RETRY_MS, undefined, { signal });
    }
  }
}

async function setPolicy(
  client: InfluxDB,
  database: string,
  name: string,
  durationMs: number,
): Promise<void> {
  const options = {
    duration: durationMs === 0 ? "INF" : `${durationMs}ms`,
    replication: 1,
    isDefault: name === CANDLE_POLICY,
    database,
  };
  const known = await client.showRetentionPolicies(database);
  if (known.some((policy) => policy.name === name)) await client.alterRetentionPolicy(name, options);
  else await client.createRetentionPolicy(name, options);
}
