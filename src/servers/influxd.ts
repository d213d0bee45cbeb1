import { join } from "node:path";
import { type PrivateServer, type PrivateServerOptions, startPrivateServer } from "./private_server.ts";

const ANSWER_TIMEOUT_MS = 1_000;
const WHERE_FILES_ARE = "SHOW DIAGNOSTICS FOR 'config-meta'";

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
      isReady: hasFilesIn,
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

/** Whether the influxd that answers has its files there: another one may have been faster to take the port. */
async function hasFilesIn(port: number, folder: string): Promise<boolean> {
  try {
    const query = new URLSearchParams({ q: WHERE_FILES_ARE });
    const response = await fetch(`http://127.0.0.1:${port}/query?${query}`, {
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    return (await response.text()).includes(JSON.stringify(join(folder, "meta")));
  } catch {
    return false;
  }
}
