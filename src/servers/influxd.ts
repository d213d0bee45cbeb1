import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findServer } from "./binaries.ts";
import { freePort } from "./port.ts";
import { ServerProcess } from "./server_process.ts";

export interface InfluxdOptions {
  /** @default one that the system picks */
  readonly port?: number;
  /** @default the one on PATH or beside the sources */
  readonly binary?: string;
}

/** A private InfluxDB 1.x on loopback. */
export interface Influxd {
  readonly url: string;
  readonly port: number;
  readonly pid: number | undefined;
  kill(signal: NodeJS.Signals): void;
  /** Starts the server again after it was killed, on the same port and with the same files. */
  restart(): Promise<void>;
  /** Stops the server and removes its files. */
  stop(): Promise<void>;
}

/**
 * Starts an influxd in a private folder.
 *
 * @throws {Error} if there is no executable or it does not start
 */
export async function startInfluxd(options: InfluxdOptions = {}): Promise<Influxd> {
  const binary = options.binary ?? findServer("influxd");
  const port = await freePort(options.port);
  const folder = await mkdtemp(join(tmpdir(), "tickline-influxd-"));
  const configPath = join(folder, "influxd.conf");
  await writeFile(configPath, configOf(port, folder));
  const url = `http://127.0.0.1:${port}`;
  const server = new ServerProcess({
    name: "influxd",
    binary,
    args: ["-config", configPath],
    isReady: () => pings(url),
  });
  const remove = () => rm(folder, { recursive: true, force: true });
  await server.start().catch(async (error: unknown) => {
    await remove();
    throw error;
  });
  return {
    url,
    port,
    get pid() {
      return server.pid;
    },
    kill: (signal) => server.kill(signal),
    async restart() {
      await server.stop();
      await server.start();
    },
    async stop() {
      await server.stop();
      await remove();
    },
  };
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
[coordinator]
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

async function pings(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/ping`, { signal: AbortSignal.timeout(1_000) });
    await response.arrayBuffer();
    return response.status === 204;
  } catch {
    return false;
  }
}
