import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Actor } from "../../src/actor/actor.ts";
import { type Environment, parseConfig } from "../../src/config.ts";
import { createLog } from "../../src/observe/log.ts";
import { type IngestRole, openIngest, venueUrls } from "../../src/run/ingest_role.ts";
import { openKline } from "../../src/run/kline_role.ts";
import { openPersist } from "../../src/run/persist_role.ts";
import { runRoles } from "../../src/run/stages.ts";
import { accountsOf, type Status, statusOf } from "../../src/run/status.ts";
import { type Influxd, startInfluxd } from "../../src/servers/influxd.ts";
import { type NatsServer, startNatsServer } from "../../src/servers/nats_server.ts";
import { createInfluxClient } from "../../src/store/provision.ts";

/** A stored candle as InfluxDB gives it. */
export interface StoredCandle {
  readonly openMs: number;
  readonly market: string;
  readonly interval: string;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
  readonly quote_volume: number;
  readonly buy_volume: number;
  readonly buy_quote_volume: number;
  readonly trades: number;
  readonly first_id: string;
  readonly last_id: string;
  readonly missing: number;
  readonly late: number;
  readonly revision: number;
  readonly complete: boolean;
}

/** What a pipeline stored. */
export interface Store {
  candles(interval: string): Promise<StoredCandle[]>;
  query(text: string): Promise<Record<string, unknown>[]>;
}

/** Reads a database of a pipeline. */
export function createStore(
  url: string,
  database: string,
  login: { readonly username?: string; readonly password?: string } = {},
): Store {
  const client = createInfluxClient({ url, database, ...login });
  const query = async (text: string) => [...(await client.query<Record<string, unknown>>(text))];
  return {
    query,
    async candles(interval) {
      const rows = await query(`SELECT * FROM candles.candles WHERE "interval" = '${interval}'`);
      return rows.map((row) => ({ ...row, openMs: (row.time as Date).getTime() }) as unknown as StoredCandle);
    },
  };
}

/** A running pipeline with servers of its own. */
export interface Pipeline extends Store {
  readonly nats: NatsServer;
  readonly influxd: Influxd;
  status(): Status;
  /** Stops everything in order; the final status. May be called again. */
  stop(): Promise<Status>;
}

export interface PipelineOptions {
  /** Whether ingest runs only while it has its lease, as always; kline and persist do so without `SHARD`. @default true */
  readonly hasLeases?: boolean;
}

/**
 * Starts servers and all actors of one process; the venue is where the environment says. All of it ends with the test,
 * however that ends.
 */
export async function startPipeline(
  t: TestContext,
  env: Environment,
  { hasLeases = true }: PipelineOptions = {},
): Promise<Pipeline> {
  const nats = await startNatsServer();
  const influxd = await startInfluxd();
  const stop = new AbortController();
  const config = parseConfig({ ...env, NATS_URL: nats.url, INFLUX_URL: influxd.url });
  const setting = { config, log: createLog("error"), signal: stop.signal, ownsBroker: true };
  const persist = await openPersist(setting);
  const kline = await openKline(setting);
  const opened = await openIngest(setting, venueUrls(config));
  const ingest = hasLeases ? opened : withoutLease(opened);
  const roles = { ingest, kline, persist };
  const running = runRoles(roles, setting.log, stop.signal);
  const stopAll = async () => {
    stop.abort();
    await running;
    await nats.stop();
    await influxd.stop();
    const status = statusOf(roles);
    assert.equal(status.unexplained, 0, JSON.stringify(accountsOf(roles)));
    return status;
  };
  let stopped: Promise<Status> | undefined;
  const pipeline: Pipeline = {
    ...createStore(influxd.url, config.influxDatabase),
    nats,
    influxd,
    status: () => statusOf(roles),
    stop: () => (stopped ??= stopAll()),
  };
  t.after(() => pipeline.stop());
  return pipeline;
}

/** The same role, whose actors publish all the time. */
function withoutLease(role: IngestRole): IngestRole {
  const leaders = role.actors.map(
    (actor): Actor => ({
      name: `lead-${actor.venue}`,
      permissions: actor.permissions,
      run({ signal, ready }) {
        ready();
        return actor.lead(signal);
      },
    }),
  );
  return Object.create(role, { supervised: { value: () => [...leaders, ...role.actors] } }) as IngestRole;
}

/** Waits for a condition, at most so long. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs: number,
): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`Waited ${deadlineMs} ms in vain for: ${what}`);
    await delay(50);
  }
}

const SHARED = fileURLToPath(new URL("../../../shared/data/", import.meta.url));

/** Paths of recorded files, or why a test that needs them is skipped. */
export function recordings(folder: string, pattern: RegExp): { paths: string[]; skip: string | false } {
  const path = join(SHARED, folder);
  if (!existsSync(path)) return { paths: [], skip: `needs the recordings "${folder}", which are not here` };
  const names = readdirSync(path).filter((name) => pattern.test(name));
  return { paths: names.map((name) => join(path, name)), skip: false };
}
