import { hostOf } from "../actor/host_of.ts";
import { Bus } from "../bus/connection.ts";
import { Streams } from "../bus/streams.ts";
import type { Config } from "../config.ts";
import type { Logger } from "../observe/log.ts";
import type { InfluxTarget } from "../store/influx_lane.ts";

/** What every role of a process shares. */
export interface Setting {
  readonly config: Config;
  readonly log: Logger;
  /** Aborted when opening shall be given up. */
  readonly signal: AbortSignal;
  /** Whether this process started the broker itself, so that no other one can have a share of the work. @default false */
  readonly ownsBroker?: boolean;
}

/** Who connects to NATS; `deploy/nats.conf` has a user for each. */
export type BusRole = "ingest" | "kline" | "persist" | "inspect";

/** Connects a role to NATS, with the streams as configured. Its inboxes are its own: nobody else may listen there. */
export async function openBus({ config, log, signal }: Setting, role: BusRole) {
  const bus = await Bus.open({
    servers: config.natsServers,
    name: `tickline-${role}`,
    inboxPrefix: `_INBOX_${role}`,
    user: config.natsUser,
    password: config.natsPassword?.reveal(),
    nkeySeedFile: config.natsNkeySeedFile,
    credsFile: config.natsCredsFile,
    caFile: config.natsCaFile,
    log,
    signal,
  });
  const streams = new Streams(bus, {
    ticks: { maxAgeMs: config.tickMaxAgeMs, maxBytes: config.tickMaxBytes },
    candles: { maxAgeMs: config.candleMaxAgeMs, maxBytes: config.candleMaxBytes },
  });
  return { bus, streams };
}

/** How to reach InfluxDB. */
export function influxTarget(config: Config): InfluxTarget {
  return {
    url: config.influxUrl,
    database: config.influxDatabase,
    username: config.influxUsername,
    password: config.influxPassword?.reveal(),
  };
}

/** `host:port` of the NATS servers, as permissions name them. */
export function natsHosts({ natsServers }: Config): string[] {
  return natsServers.map(hostOf);
}
