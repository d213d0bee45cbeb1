import { once } from "node:events";
import { type ClientOptions, WebSocket } from "ws";
import { eventually } from "../bus/harness.ts";

/** A WebSocket client that notes what it gets and does nothing on its own. */
export class PlainClient {
  readonly socket: WebSocket;
  /** Messages so far. */
  readonly frames: string[] = [];
  pings = 0;
  /** How the connection ended. */
  closed: { readonly code: number; readonly reason: string } | undefined;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data) => this.frames.push(data.toString()));
    socket.on("ping", () => this.pings++);
    socket.on("close", (code, reason) => {
      this.closed = { code, reason: reason.toString() };
    });
    socket.on("error", () => undefined);
  }

  static async open(url: string, options: ClientOptions = {}): Promise<PlainClient> {
    const client = new PlainClient(new WebSocket(url, { perMessageDeflate: false, ...options }));
    await once(client.socket, "open");
    return client;
  }

  /** Sends a request, as text or to be written as JSON; the next message. */
  async request(request: object | string): Promise<unknown> {
    const before = this.frames.length;
    this.socket.send(typeof request === "string" ? request : JSON.stringify(request));
    await eventually("there is an answer", () => this.frames.length > before, 5_000);
    return JSON.parse(this.frames[before]!) as unknown;
  }
}
