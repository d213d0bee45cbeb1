import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { BinanceConnection } from "./binance_connection.ts";

const PING_INTERVAL_MS = 20_000;
const PONG_DEADLINE_MS = 60_000;
const GOING_AWAY = 1001;
const DRAINED_BYTES = 1024 * 1024;
const MAX_BUFFERED_BYTES = 16 * DRAINED_BYTES;
const DRAIN_POLL_MS = 2;

export interface BinanceServerOptions {
  /** @default "127.0.0.1" */
  readonly host?: string;
  /** @default 0, one that the system picks */
  readonly port?: number;
  /** Time between two ping frames, ms. @default 20,000 */
  readonly pingIntervalMs?: number;
  /** A client that leaves pings without their pongs for longer is cut off, ms. @default 60,000 */
  readonly pongDeadlineMs?: number;
  /** A connection is closed at this age, ms. @default 24 h */
  readonly maxAgeMs?: number;
  /** A client that leaves more bytes behind is too slow and is cut off, as exchanges do. @default 16 MiB */
  readonly maxBufferedBytes?: number;
  /**
   * Whether errors are answered as `{"error":{"code":…,"msg":…},"id":…}`, which is what Binance is seen to send.
   * @default false: as it documents them
   */
  readonly nestsErrors?: boolean;
}

const DAY_MS = 86_400_000;

/**
 * A local server that speaks the protocol of Binance's spot streams: combined and raw streams, requests, pings, and
 * the cut of old connections. It knows nothing of markets; `publish` sends what it is given to those who subscribed.
 *
 * Protocol: developers.binance.com, Spot, WebSocket Streams.
 */
export class BinanceServer {
  readonly url: string;
  readonly #http: Server;
  readonly #sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  readonly #connections = new Map<WebSocket, BinanceConnection>();
  /** Subscribers of each stream. */
  readonly #listeners = new Map<string, Set<BinanceConnection>>();
  readonly #options: Required<Omit<BinanceServerOptions, "host" | "port">>;
  #flushScheduled = false;
  #mutedUntilMs = 0;
  #refusesUntilMs = 0;
  #accepted = 0;

  private constructor(http: Server, options: BinanceServerOptions) {
    const { address, port } = http.address() as AddressInfo;
    this.url = `ws://${address}:${port}`;
    this.#http = http;
    this.#options = {
      pingIntervalMs: options.pingIntervalMs ?? PING_INTERVAL_MS,
      pongDeadlineMs: options.pongDeadlineMs ?? PONG_DEADLINE_MS,
      nestsErrors: options.nestsErrors ?? false,
      maxAgeMs: options.maxAgeMs ?? DAY_MS,
      maxBufferedBytes: options.maxBufferedBytes ?? MAX_BUFFERED_BYTES,
    };
    http.on("upgrade", (request, socket, head) => {
      // A client that goes away now is nobody's failure.
      socket.on("error", () => socket.destroy());
      const target = parseTarget(request.url ?? "/");
      if (target === undefined) {
        socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (client) => this.#accept(client, socket, target));
    });
  }

  /** Starts a server; it listens when the promise resolves. */
  static async start(options: BinanceServerOptions = {}): Promise<BinanceServer> {
    const http = createServer((_request, response) => response.writeHead(404).end());
    http.listen(options.port ?? 0, options.host ?? "127.0.0.1");
    await once(http, "listening");
    return new BinanceServer(http, options);
  }

  /** Clients that are connected now. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Clients that ever connected. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Names of the streams that somebody listens to. */
  get subscriptions(): string[] {
    return [...this.#listeners.keys()];
  }

  /** How many connections listen to a stream. */
  listenersOf(stream: string): number {
    return this.#listeners.get(stream)?.size ?? 0;
  }

  /** Bytes that clients have not taken yet. */
  get bufferedBytes(): number {
    let bytes = 0;
    for (const connection of this.#connections.values()) bytes += connection.bufferedBytes;
    return bytes;
  }

  /**
   * Sends an event (JSON text) to all who listen to its stream, with the other events of this turn of the
   * event loop in one write. Returns whether somebody listens.
   */
  publish(stream: string, event: string): boolean {
    const listeners = this.#listeners.get(stream);
    if (listeners === undefined || listeners.size === 0) return false;
    if (performance.now() < this.#mutedUntilMs) return true;
    let combined = "";
    let raw = "";
    for (const connection of listeners) {
      if (connection.combined)
        connection.queue((combined ||= frame(`{"stream":"${stream}","data":${event}}`)));
      else connection.queue((raw ||= frame(event)));
    }
    this.#scheduleFlush();
    return true;
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#flushScheduled = false;
    for (const [socket, connection] of this.#connections) {
      connection.flush();
      if (connection.bufferedBytes > this.#options.maxBufferedBytes) socket.terminate();
    }
  }

  /** Resolves when clients have taken nearly everything, or the signal is aborted. */
  async drained(signal: AbortSignal): Promise<void> {
    this.#flush();
    while (this.bufferedBytes > DRAINED_BYTES && !signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
  }

  /** Sends text or bytes to every client, whatever they are: for tests of what clients make of it. */
  sendToAll(data: string | Buffer): void {
    for (const connection of this.#connections.values()) connection.send(data);
  }

  /** Sends no events for a while, though connections and pings live on. */
  mute(forMs: number): void {
    this.#mutedUntilMs = performance.now() + forMs;
  }

  /** Refuses every request for a while. */
  refuse(forMs: number): void {
    this.#refusesUntilMs = performance.now() + forMs;
  }

  /** Closes every connection in the orderly way; nobody counts as a listener from now on. */
  closeAll(code = GOING_AWAY): void {
    for (const connection of this.#connections.values()) connection.close(code);
  }

  /** Cuts every connection without a word. */
  terminateAll(): void {
    for (const socket of this.#connections.keys()) socket.terminate();
  }

  /** Cuts all connections and stops listening. */
  async stop(): Promise<void> {
    this.terminateAll();
    this.#http.close();
    this.#http.closeAllConnections();
    await once(this.#http, "close");
  }

  #accept(socket: WebSocket, raw: Duplex, target: Target): void {
    this.#accepted++;
    const connection = new BinanceConnection({
      socket,
      raw,
      combined: target.combined,
      nestsErrors: this.#options.nestsErrors,
      refuses: () => performance.now() < this.#refusesUntilMs,
      onSubscribed: (stream) => {
        const listeners = this.#listeners.get(stream) ?? new Set();
        this.#listeners.set(stream, listeners.add(connection));
      },
      onUnsubscribed: (stream) => this.#unlisten(stream, connection),
    });
    for (const stream of target.streams) connection.subscribe(stream);
    this.#connections.set(socket, connection);
    const { maxAgeMs } = this.#options;
    socket.on("error", () => socket.terminate());
    const pings = this.#startPings(socket);
    const end = setTimeout(() => connection.close(GOING_AWAY), maxAgeMs);
    socket.once("close", () => {
      clearInterval(pings);
      clearTimeout(end);
      this.#connections.delete(socket);
      connection.unsubscribeAll();
    });
  }

  /** Pings a client, and cuts it off when it has left pings unanswered for too long. */
  #startPings(socket: WebSocket): NodeJS.Timeout {
    const { pingIntervalMs, pongDeadlineMs } = this.#options;
    let payload = "";
    let answeredMs = performance.now();
    // A pong counts that has a copy of the ping's payload; unsolicited ones are allowed and do not.
    socket.on("pong", (data) => {
      if (data.toString() === payload) answeredMs = performance.now();
    });
    return setInterval(() => {
      if (performance.now() - answeredMs > pongDeadlineMs) socket.terminate();
      else socket.ping((payload = String(Date.now())));
    }, pingIntervalMs);
  }

  #unlisten(stream: string, connection: BinanceConnection): void {
    const listeners = this.#listeners.get(stream);
    listeners?.delete(connection);
    if (listeners?.size === 0) this.#listeners.delete(stream);
  }
}

/** What the path of a connection asks for. */
interface Target {
  readonly combined: boolean;
  readonly streams: readonly string[];
}

function parseTarget(path: string): Target | undefined {
  if (!URL.canParse(path, BASE)) return undefined;
  const { pathname, searchParams } = new URL(path, BASE);
  if (pathname === "/stream") {
    const streams = searchParams.get("streams") ?? "";
    return { combined: true, streams: streams.split("/").filter((name) => name !== "") };
  }
  const raw = /^\/ws(\/.*)?$/.exec(pathname);
  if (raw === null) return undefined;
  return { combined: false, streams: (raw[1] ?? "").split("/").filter((name) => name !== "") };
}

/** Stands in for scheme and host where a request has its path alone. */
const BASE = "ws://localhost";
const TEXT_FRAME = "\x81";
const LENGTH_16 = 126;
const LENGTH_64 = 127;

/** An unmasked text frame (RFC 6455, 5.2) as Latin-1 text, in which characters are bytes. */
function frame(event: string): string {
  const length = Buffer.byteLength(event);
  // Nearly every event is ASCII; names of some markets are not.
  const text = length === event.length ? event : Buffer.from(event).toString("latin1");
  if (length < LENGTH_16) return `${TEXT_FRAME}${String.fromCharCode(length)}${text}`;
  const bytes = (count: number) =>
    String.fromCharCode(
      ...Array.from({ length: count }, (_, i) => Math.floor(length / 256 ** (count - 1 - i)) % 256),
    );
  const header =
    length < 65_536 ? String.fromCharCode(LENGTH_16) + bytes(2) : String.fromCharCode(LENGTH_64) + bytes(8);
  return `${TEXT_FRAME}${header}${text}`;
}
