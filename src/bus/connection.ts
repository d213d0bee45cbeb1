import { readFileSync } from "node:fs";
import { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import {
  type Authenticator,
  type ConnectionOptions,
  connect,
  createInbox,
  credsAuthenticator,
  DebugEvents,
  Events,
  type JetStreamManager,
  type NatsConnection,
  nkeyAuthenticator,
  nkeys,
} from "nats";
import { isDenied } from "../actor/denied.ts";
import type { Logger } from "../observe/log.ts";
import { Tally } from "../observe/tally.ts";
import { closeMuteSockets } from "./mute_sockets.ts";
import { Waiters } from "./waiters.ts";

const CONNECT_RETRY_MS = 250;
const RECONNECT_WAIT_MS = 150;
const RECONNECT_JITTER_MS = 100;
/** A server that leaves two pings without an answer is gone: noticed within 6 s. */
const PING_INTERVAL_MS = 2_000;
const MAX_PINGS_OUT = 2;
const REQUEST_TIMEOUT_MS = 2_000;
/** Longer than the client waits for a new connection. */
const MUTE_SOCKET_MS = 3_000;
const DEFAULT_PORT = 4222;
const CLOSE_DEADLINE_MS = 2_000;
/** The same error may come with every message; it is logged at most this often. */
const REPEATED_ERROR_MS = 10_000;

export interface BusOptions {
  readonly servers: readonly string[];
  /** Shown by `nats server list` and in the server's log. */
  readonly name: string;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly nkeySeedFile?: string | undefined;
  readonly credsFile?: string | undefined;
  readonly caFile?: string | undefined;
  /**
   * Begins all inboxes of this connection: the only subjects that a user with least permissions subscribes to.
   * @default "_INBOX"
   */
  readonly inboxPrefix?: string | undefined;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Told when the connection is lost, with all that was under way on it, and when there is one again. */
export interface ConnectionListener {
  onLost?(): void;
  onRestored?(): void;
}

/** What the server's user may not do. */
interface Refused {
  readonly operation: string;
  readonly subject: string;
}

interface Opened {
  readonly connection: NatsConnection;
  readonly streams: JetStreamManager;
  readonly endMuteWatch: () => void;
}

/** A connection to NATS that never gives up. */
export class Bus {
  readonly connection: NatsConnection;
  readonly streams: JetStreamManager;
  readonly log: Logger;
  /** Disconnects, reconnects, replaced connections and errors, by kind. */
  readonly events = new Tally();
  readonly #inboxPrefix: string | undefined;
  readonly #endMuteWatch: () => void;
  readonly #listeners = new Set<ConnectionListener>();
  readonly #waiters = new Waiters();
  #connected = true;
  #lastError = "";
  #lastErrorMs = 0;

  private constructor({ connection, streams, endMuteWatch }: Opened, options: BusOptions) {
    this.connection = connection;
    this.streams = streams;
    this.#endMuteWatch = endMuteWatch;
    this.log = options.log;
    this.#inboxPrefix = options.inboxPrefix;
    void this.#watch();
  }

  /**
   * Connects, however long the server takes to come up; fails only when the signal is aborted.
   *
   * @throws {Error} if a file of credentials or the authority's certificate cannot be read, or the runtime does not let
   * this process connect
   */
  static async open(options: BusOptions): Promise<Bus> {
    const natsOptions = connectionOptions(options);
    const endMuteWatch = closeMuteSockets(new Set(options.servers.map(portOf)), MUTE_SOCKET_MS);
    try {
      const connection = await connectAtLast(natsOptions, options);
      const streams = await connection.jetstreamManager({ checkAPI: false, timeout: REQUEST_TIMEOUT_MS });
      return new Bus({ connection, streams, endMuteWatch }, options);
    } catch (error) {
      endMuteWatch();
      throw error;
    }
  }

  /** Whether a message may be sent. A dead server may take some seconds to be noticed. */
  get connected(): boolean {
    return this.#connected && !this.connection.isClosed() && !this.connection.isDraining();
  }

  /** Resolves when there is a connection, or the signal is aborted. */
  untilConnected(signal: AbortSignal): Promise<void> {
    return this.#waiters.until(() => this.connected, signal);
  }

  /** Adds a listener; returns what removes it. */
  listen(listener: ConnectionListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** A subject for answers that nobody else uses. */
  createInbox(): string {
    return createInbox(this.#inboxPrefix);
  }

  /** Drops the connection, for a server that takes messages and answers none; a new one is made at once. */
  replaceConnection(): void {
    if (!this.connected) return;
    this.events.add("replaced");
    dropSocket(this.connection);
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
    if (!this.connection.isClosed()) {
      dropSocket(this.connection);
      await this.connection.close();
    }
    this.#endMuteWatch();
  }

  async #watch(): Promise<void> {
    for await (const { type, data, permissionContext } of this.connection.status()) {
      if (type === Events.Disconnect) this.#onLost();
      else if (type === Events.Reconnect) this.#onRestored();
      else if (type === Events.Error) this.#onError(String(data), permissionContext);
      else if (type === DebugEvents.StaleConnection) this.#onStale();
    }
    this.#connected = false;
  }

  #onLost(): void {
    if (!this.#connected) return;
    this.#connected = false;
    this.events.add("disconnect");
    this.log.warn("NATS connection lost");
    for (const listener of this.#listeners) listener.onLost?.();
  }

  #onRestored(): void {
    this.#connected = true;
    this.events.add("reconnect");
    this.log.info({ server: this.connection.getServer() }, "NATS connection restored");
    for (const listener of this.#listeners) listener.onRestored?.();
    this.#waiters.wake();
  }

  #onStale(): void {
    this.events.add("stale");
    this.log.warn({ server: this.connection.getServer() }, "NATS answers no pings, replacing the connection");
    dropSocket(this.connection);
  }

  /** Refused permissions come here: the server tells nobody else about them. */
  #onError(error: string, refused: Refused | undefined): void {
    this.events.add("error");
    const nowMs = performance.now();
    const text = refused === undefined ? error : `${error} ${refused.operation} ${refused.subject}`;
    if (text === this.#lastError && nowMs - this.#lastErrorMs < REPEATED_ERROR_MS) return;
    this.#lastError = text;
    this.#lastErrorMs = nowMs;
    this.log.error({ error: text }, "NATS reports an error");
  }
}

/** The first connection, however many attempts it takes; fails when the signal is aborted, or nothing will help. */
async function connectAtLast(
  natsOptions: ConnectionOptions,
  { servers, log, signal }: BusOptions,
): Promise<NatsConnection> {
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await connect(natsOptions);
    } catch (error) {
      if (isDenied(error)) throw error;
      if (attempt % 20 === 0) log.warn({ err: error, servers }, "cannot reach NATS");
      await delay(CONNECT_RETRY_MS, undefined, { signal });
    }
  }
}

function portOf(server: string): number {
  return Number(/:(\d+)$/.exec(server)?.[1] ?? DEFAULT_PORT);
}

/**
 * Ends the connection's socket. The client itself first waits until everything that it wrote is on its way, which a
 * server that went silent never lets happen (nats 2.29, `node_transport`), and it has no public way to the socket.
 */
function dropSocket(connection: NatsConnection): void {
  const { protocol } = connection as { protocol?: { transport?: { socket?: unknown } } };
  const socket = protocol?.transport?.socket;
  if (socket instanceof Socket) socket.destroy();
  else void connection.reconnect().catch(() => undefined);
}

function connectionOptions(options: BusOptions): ConnectionOptions {
  // The client reads it for every connection; that there is one is better known at once.
  if (options.caFile !== undefined) readFileSync(options.caFile);
  return {
    servers: [...options.servers],
    name: options.name,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    reconnectJitter: RECONNECT_JITTER_MS,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: MAX_PINGS_OUT,
    timeout: REQUEST_TIMEOUT_MS,
    noAsyncTraces: true,
    // Credentials that are renewed on the server's side must not end the process's only connection.
    ignoreAuthErrorAbort: true,
    ...(options.inboxPrefix === undefined ? {} : { inboxPrefix: options.inboxPrefix }),
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.password === undefined ? {} : { pass: options.password }),
    ...(options.caFile === undefined ? {} : { tls: { caFile: options.caFile } }),
    ...authenticatorOf(options),
  };
}

function authenticatorOf({ nkeySeedFile, credsFile }: BusOptions): { authenticator?: Authenticator } {
  if (nkeySeedFile !== undefined) {
    return { authenticator: nkeyAuthenticator(readSeed(nkeySeedFile)) };
  }
  if (credsFile !== undefined) return { authenticator: credsAuthenticator(readFileSync(credsFile)) };
  return {};
}

function readSeed(file: string): Uint8Array {
  const seed = Buffer.from(readFileSync(file, "utf8").trim());
  try {
    nkeys.fromSeed(seed);
  } catch (cause) {
    throw new Error(`Cannot log in with "${file}": it does not hold the seed of an nkey`, { cause });
  }
  return seed;
}
