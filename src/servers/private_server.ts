import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findServer, type ServerName } from "./binaries.ts";
import { startOnFreePort } from "./port.ts";
import { ServerProcess } from "./server_process.ts";

export interface PrivateServerOptions {
  /** Preferred port; another one if somebody has it. @default one that the system picks */
  readonly port?: number | undefined;
  /** Folder for the server's files, kept when it stops. @default a private one that is removed */
  readonly folder?: string | undefined;
  /** @default the one on PATH or beside the sources */
  readonly binary?: string | undefined;
}

/** How a kind of server is run. */
export interface ServerKind {
  readonly name: ServerName;
  readonly scheme: "nats" | "http";
  /** The whole configuration file. */
  configOf(port: number, folder: string): string;
  argsOf(configPath: string): readonly string[];
  /** Whether this very server, and no other on the port, takes requests. */
  isReady(port: number, folder: string): Promise<boolean>;
}

/** A server of our own on loopback. */
export interface PrivateServer {
  readonly url: string;
  readonly port: number;
  /** Absent while the server is stopped. */
  readonly pid: number | undefined;
  /** Sends a signal to the server. */
  kill(signal: NodeJS.Signals): void;
  /** Starts the server again, on the same port and with the same files; stops it first if it still runs. */
  restart(): Promise<void>;
  /** Stops the server and removes its files, unless the folder was given. */
  stop(): Promise<void>;
}

/**
 * Starts a server on loopback, with files of its own.
 *
 * @throws {Error} if there is no executable, or it ends or is not ready in time; with its last lines
 */
export function startPrivateServer(kind: ServerKind, options: PrivateServerOptions): Promise<PrivateServer> {
  return startOnFreePort(options.port, async (port) => {
    const binary = options.binary ?? findServer(kind.name);
    const folder = options.folder ?? (await mkdtemp(join(tmpdir(), `tickline-${kind.name}-`)));
    const removeFiles = async () => {
      if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
    };
    await mkdir(folder, { recursive: true });
    const configPath = join(folder, `${kind.name}.conf`);
    await writeFile(configPath, kind.configOf(port, folder));
    const server = new ServerProcess({
      name: kind.name,
      binary,
      args: kind.argsOf(configPath),
      isReady: () => kind.isReady(port, folder),
    });
    try {
      await server.start();
    } catch (error) {
      await removeFiles();
      throw error;
    }
    return {
      url: `${kind.scheme}://127.0.0.1:${port}`,
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
        await removeFiles();
      },
    };
  });
}
