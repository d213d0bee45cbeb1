import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import {
  type Authenticator,
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  Events,
  type JetStreamClient,
  type JetStreamManager,
  type NatsConnection,
  nkeyAuthenticator,
} from "nats";
import type { Logger } from "../observe/log.ts";
import { Tally } from "../observe/tally.ts";

const CONNECT_RETRY_MS = 250;
const RECONNECT_WAIT_MS = 150;
const RECONNECT_JITTER_MS = 100;
const PING_INTERVAL_MS = 2_000;
const REQUEST_TIMEOUT_MS = 2_000;
const CLOSE_DEADLINE_MS = 2_000;

export interface BusOptions {
  readonly servers: readonly string[];
  /** Shown by `nats server list` and in the server's log. */
  readonly name: string;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly nkeySeedFile?: string | undefined;
  readonly credsFile?: string | undefined;
  readonly caFile?: string | undefined;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** A connection to NATS that never gives up. */
export class Bus {
  readonly connection: NatsConnection;
  readonly streams: JetStreamManager;
  readonly jetStream: JetStreamClient;
  readonly log: Logger;
  /** Disconnects, reconnects and errors, by kind. */
  readonly events = new Tally();
  #connected = true;

  private constructor(connection: NatsConnection, streams: JetStreamManager, log: Logger) {
    this.connection = connection;
    this.streams = streams;
    this.jetStream = connection.jetstream();
    this.log = log;
    void this.#watch();
  }

  /** Connects, however long the server takes to come up; fails only when the signal is aborted. */
  static async open(options: BusOptions): Promise<Bus> {
    for (let attempt = 0; ; attempt++) {
      options.signal.throwIfAborted();
      try {
        const connection = await connect(connectionOptions(options));
        const streams = await connection.jetstreamManager({ checkAPI: false, timeout: REQUEST_TIMEOUT_MS });
        return new Bus(connection, streams, options.log);
      } catch (error) {
        if (attempt % 20 === 0)
          options.log.warn({ err: error, servers: options.servers }, "cannot reach NATS");
        await delay(CONNECT_RETRY_MS, undefined, { signal: options.signal });
      }
    }
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Drops the connection and makes a new one: for a server that takes messages and answers none. */
  async replaceConnection(): Promise<void> {
    this.events.add("replaced");
    await this.connection.reconnect();
  }

  /** Sends what is buffered and closes; gives up after 2 s. */
  async close(): Promise<void> {
    const deadline = new AbortController();
    const drained = this.connection.drain().catch(() => this.connection.close());
    await Promise.race([
      drained,
      delay(CLOSE_DEADLINE_MS, undefined, { signal: deadline.signal }).catch(() => undefined),
    ]);
    deadline.abort();
    if (!this.connection.isClosed()) await this.connection.close();
  }

  async #watch(): Promise<void> {
    for await (const { type, data } of this.connection.status()) {
      if (type === Events.Disconnect) this.#connected = false;
      else if (type === Events.Reconnect) this.#connected = true;
      else if (type !== Events.Error) continue;
      this.events.add(type);
      this.log.warn({ event: type, server: String(data) }, "NATS connection changed");
    }
    this.#connected = false;
  }
}

function connectionOptions(options: BusOptions): ConnectionOptions {
  return {
    servers: [...options.servers],
    name: options.name,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    reconnectJitter: RECONNECT_JITTER_MS,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: 2,
    timeout: REQUEST_TIMEOUT_MS,
    noAsyncTraces: true,
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.password === undefined ? {} : { pass: options.password }),
    ...(options.caFile === undefined ? {} : { tls: { caFile: options.caFile } }),
    ...authenticatorOf(options),
  };
}

function authenticatorOf({ nkeySeedFile, credsFile }: BusOptions): { authenticator?: Authenticator } {
  if (nkeySeedFile !== undefined) {
    return { authenticator: nkeyAuthenticator(Buffer.from(readFileSync(nkeySeedFile, "utf8").trim())) };
  }
  if (credsFile !== undefined) return { authenticator: credsAuthenticator(readFileSync(credsFile)) };
  return {};
}
