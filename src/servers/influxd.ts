import { join } from "node:path";
import { type PrivateServer, type PrivateServerOptions, startPrivateServer } from "./private_server.ts";

const PING_TIMEOUT_MS = 1_000;

export type InfluxdOptions = PrivateServerOptions;

/** A private InfluxDB 1.x on loopback. */
export type Influxd = PrivateServer;

/**
 * Starts an influxd of our own.
 *
 * @throws {Error} if there is no executable or it does not start
 * @example
 * ```ts
 * const influxd = await startInfluxd();
 * await fetch(`${influxd.url}/ping`);
 * await influxd.stop();
 * ```
 */
export function startInfluxd(options: InfluxdOptions = {}): Promise<Influxd> {
  return startPrivateServer(
    {
      name: "influxd",
      scheme: "http",
      configOf,
      argsOf: (configPath) => ["-config", configPath],
      isReady: pings,
    },
    options,
  );
}

/** Reports nothing to anybody, logs no request, and lets a write wait for no other one. */
function configOf(port: number, folder: string): string {
  const path = (name: string) => JSON.stringify(join(folder, name));
  return `
reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
  dir = ${path("meta")}
  logging-enabled = false
[data]
  dir = ${path("data")}
  wal-dir = ${path("wal")}
  index-version = "tsi1"
  query-log-enabled = false
  wal-fsync-delay = "0s"
[monitor]
  store-enabled = false
[http]
  enabled = true
  bind-address = "127.0.0.1:${port}"
  log-enabled = false
  max-row-limit = 0
[logging]
  level = "warn"
[subscriber]
  enabled = false
[continuous_queries]
  enabled = false
`;
}

async function pings(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/ping`, {
      signal: AbortSignal.timeout(PING_TIMEOUT_MS),
    });
    await response.arrayBuffer();
    return response.status === 204;
  } catch {
    return false;
  }
}
