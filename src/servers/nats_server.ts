import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import { type PrivateServer, type PrivateServerOptions, startPrivateServer } from "./private_server.ts";

const GREETING_TIMEOUT_MS = 1_000;

export interface NatsServerOptions extends PrivateServerOptions {
  /** What JetStream may keep in memory. @default 1 GiB */
  readonly maxMemoryBytes?: number;
  /** What JetStream may keep in files. @default 8 GiB */
  readonly maxFileBytes?: number;
  /** More lines for the configuration file. */
  readonly extraConfig?: string;
}

/** A private nats-server with JetStream on loopback. */
export type NatsServer = PrivateServer;

/**
 * Starts a nats-server of our own.
 *
 * @throws {Error} if there is no executable or it does not start
 * @example
 * ```ts
 * const server = await startNatsServer({ port: 4222 });
 * const connection = await connect({ servers: server.url });
 * ```
 */
export function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  const name = `tickline-${randomUUID()}`;
  return startPrivateServer(
    {
      name: "nats-server",
      scheme: "nats",
      configOf: (port, folder) => configOf({ name, port, folder }, options),
      argsOf: (configPath) => ["-c", configPath],
      isReady: (port) => greets(port, name),
    },
    options,
  );
}

interface NatsServerPlace {
  readonly name: string;
  readonly port: number;
  readonly folder: string;
}

/** A client that does not read is cut off after `write_deadline`, and one that went away is noticed within 30 s. */
function configOf({ name, port, folder }: NatsServerPlace, options: NatsServerOptions): string {
  const { maxMemoryBytes = 2 ** 30, maxFileBytes = 8 * 2 ** 30, extraConfig = "" } = options;
  return `
server_name: ${name}
listen: 127.0.0.1:${port}
max_payload: 1MB
max_pending: 64MB
write_deadline: "3s"
ping_interval: "10s"
ping_max: 2
jetstream { store_dir: ${JSON.stringify(folder)}, max_mem: ${maxMemoryBytes}, max_file: ${maxFileBytes} }
${extraConfig}
`;
}

/** Whether a nats-server of that name takes connections: it says INFO with its name at once, before TLS begins. */
export function greets(port: number, name: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    const end = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.setTimeout(GREETING_TIMEOUT_MS, () => end(false));
    socket.once("error", () => end(false));
    socket.once("close", () => end(false));
    socket.once("data", (chunk) => {
      const greeting = chunk.toString();
      end(greeting.startsWith("INFO ") && greeting.includes(`"server_name":"${name}"`));
    });
  });
}
