import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

export interface StandInOptions {
  /** Port to come back on. @default 0 */
  readonly port?: number;
  /** @default true */
  readonly answersPings?: boolean;
}

/** A connection as the stand-in sees it. */
export interface StandInClient {
  readonly socket: WebSocket;
  readonly streams: Set<string>;
  readonly requests: { readonly atMs: number; readonly params: readonly string[]; readonly id: number }[];
}

/** An exchange of which a test decides every frame, on a loopback port. */
export class StandInExchange {
  /** Every connection so far, the closed ones included. */
  readonly clients: StandInClient[] = [];
  /** How requests are answered. */
  answer: "ack" | "refuse" | "ignore" = "ack";
  /** Most connections at a time that had one stream in common. */
  mostPerStream = 0;
  readonly #server: WebSocketServer;
  #stopped = false;

  private constructor(server: WebSocketServer) {
    this.#server = server;
    server.on("connection", (socket) => this.#serve(socket));
  }

  static async start({ port = 0, answersPings = true }: StandInOptions = {}): Promise<StandInExchange> {
    const server = new WebSocketServer({ host: "127.0.0.1", port, path: "/stream", autoPong: answersPings });
    await once(server, "listening");
    return new StandInExchange(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  get open(): StandInClient[] {
    return this.clients.filter(({ socket }) => socket.readyState === socket.OPEN);
  }

  /** Sends a frame to all that subscribe its stream. */
  send(stream: string, frame: string | Buffer): void {
    for (const { socket, streams } of this.open) if (streams.has(stream)) socket.send(frame);
  }

  /** Breaks every connection without a close frame. */
  breakAll(): void {
    for (const { socket } of this.open) socket.terminate();
  }

  /** Ends every connection and frees the port; may be called again. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const { socket } of this.clients) socket.terminate();
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  #serve(socket: WebSocket): void {
    const client: StandInClient = { socket, streams: new Set(), requests: [] };
    this.clients.push(client);
    socket.on("message", (message) => {
      const { params, id } = JSON.parse(message.toString()) as { params: string[]; id: number };
      client.requests.push({ atMs: performance.now(), params, id });
      if (this.answer === "refuse") {
        socket.send(JSON.stringify({ error: { code: 2, msg: "Invalid request" }, id }));
        return;
      }
      for (const stream of params) {
        client.streams.add(stream);
        const sharing = this.open.filter(({ streams }) => streams.has(stream)).length;
        this.mostPerStream = Math.max(this.mostPerStream, sharing);
      }
      if (this.answer === "ack") socket.send(JSON.stringify({ result: null, id }));
    });
  }
}

/** Waits until something holds; fails after some seconds, saying what it waited for. */
export async function until(what: string, holds: () => boolean, withinMs = 8000): Promise<void> {
  const deadlineMs = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > deadlineMs) throw new Error(`Waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
