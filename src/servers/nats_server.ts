import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findServer } from "./binaries.ts";
import { freePort } from "./port.ts";
import { ServerProcess } from "./server_process.ts";

export interface NatsServerOptions {
  /** @default one that the system picks */
  readonly port?: number;
  /** @default the one on PATH or beside the sources */
  readonly binary?: string;
  /** More lines for the configuration file. */
  readonly extraConfig?: string;
}

/** A private nats-server with JetStream on loopback. */
export interface NatsServer {
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
 * Starts a nats-server in a private folder.
 *
 * @throws {Error} if there is no executable or it does not start
 */
export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  const binary = options.binary ?? findServer("nats-server");
  const port = await freePort(options.port);
  const folder = await mkdtemp(join(tmpdir(), "tickline-nats-"));
  const configPath = join(folder, "nats.conf");
  await writeFile(configPath, configOf(port, folder, options.extraConfig ?? ""));
  const server = new ServerProcess({
    name: "nats-server",
    binary,
    args: ["-c", configPath],
    isReady: () => greets(port),
  });
  const remove = () => rm(folder, { recursive: true, force: true });
  await server.start().catch(async (error: unknown) => {
    await remove();
    throw error;
  });
  return {
    url: `nats://127.0.0.1:${port}`,
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

function configOf(port: number, folder: string, extraConfig: string): string {
  return `
listen: 127.0.0.1:${port}
max_payload: 1MB
max_pending: 64MB
write_deadline: "3s"
ping_interval: "10s"
ping_max: 2
jetstream { store_dir: ${JSON.stringify(folder)}, max_mem: 1G, max_file: 8G }
${extraConfig}
`;
}

/** A nats-server says INFO as soon as it takes connections. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    const end = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.setTimeout(1_000, () => end(false));
    socket.once("error", () => end(false));
    socket.once("data", (chunk) => end(chunk.toString().startsWith("INFO ")));
  });
}
