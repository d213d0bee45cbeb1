import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, connect, type NatsConnection } from "nats";
import { type NatsServer, startNatsServer } from "../../src/servers/nats_server.ts";
import type { Endings } from "./endings.ts";
import { TcpRelay } from "./tcp_relay.ts";

/** Who connects: two kinds of processes of the pipeline, and those who look on and spoil things. */
const USERS = ["ingest", "worker", "operator"] as const;
const PASSWORD = "chaos";
/** Included by the server's own configuration. */
const USERS_FILE = "users.conf";

export type BrokerUser = (typeof USERS)[number];

/** A nats-server, and the ways in which each user's connections and rights may fail. */
export class Broker {
  readonly server: NatsServer;
  readonly #folder: string;
  readonly #relays: ReadonlyMap<BrokerUser, TcpRelay>;

  private constructor(server: NatsServer, folder: string, relays: ReadonlyMap<BrokerUser, TcpRelay>) {
    this.server = server;
    this.#folder = folder;
    this.#relays = relays;
  }

  /** @param maxMemoryBytes what its streams in memory may take */
  static async start(endings: Endings, maxMemoryBytes: number): Promise<Broker> {
    const folder = await mkdtemp(join(tmpdir(), "tickline-chaos-broker-"));
    endings.after(() => rm(folder, { recursive: true, force: true }));
    await writeFile(join(folder, USERS_FILE), usersConfig());
    const server = await startNatsServer({
      folder,
      maxMemoryBytes,
      extraConfig: `include "./${USERS_FILE}"`,
    });
    endings.after(() => server.stop());
    const relays = new Map<BrokerUser, TcpRelay>();
    for (const user of ["ingest", "worker"] as const) {
      const relay = await TcpRelay.start(server.port);
      endings.after(() => relay.stop());
      relays.set(user, relay);
    }
    return new Broker(server, folder, relays);
  }

  /** What a process of the pipeline needs to connect. */
  environmentOf(user: BrokerUser): Readonly<Record<string, string>> {
    return {
      NATS_URL: `nats://127.0.0.1:${this.relayOf(user).port}`,
      NATS_USER: user,
      NATS_PASSWORD: PASSWORD,
    };
  }

  /** Where all connections of a user go through. */
  relayOf(user: BrokerUser): TcpRelay {
    return this.#relays.get(user)!;
  }

  /** Connects who may do everything, past the relays, however long the server takes to come up. */
  connect(options: ConnectionOptions = {}): Promise<NatsConnection> {
    return connect({
      servers: this.server.url,
      user: "operator",
      pass: PASSWORD,
      waitOnFirstConnect: true,
      maxReconnectAttempts: -1,
      ...options,
    });
  }

  /** Takes from a user the right to publish to a subject, and from everybody else nothing. */
  async deny(user: BrokerUser, subject: string): Promise<void> {
    await this.#reload({ user, subject });
  }

  /** Gives everybody all rights again. */
  async allowAll(): Promise<void> {
    await this.#reload();
  }

  async #reload(denied?: Denied): Promise<void> {
    await writeFile(join(this.#folder, USERS_FILE), usersConfig(denied));
    this.server.kill("SIGHUP");
  }
}

interface Denied {
  readonly user: BrokerUser;
  readonly subject: string;
}

function usersConfig(denied?: Denied): string {
  const lines = USERS.map((user) => {
    const rights =
      denied?.user === user
        ? `, permissions: { publish: { deny: [${JSON.stringify(denied.subject)}] } }`
        : "";
    return `    { user: ${user}, password: ${PASSWORD}${rights} }`;
  });
  return `authorization {\n  users: [\n${lines.join("\n")}\n  ]\n}\n`;
}
