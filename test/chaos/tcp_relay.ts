import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { Random } from "../../src/simulator/random.ts";

/** A connection that goes through. */
interface Line {
  readonly client: Socket;
  readonly server: Socket;
}

/** Stands between clients and a server on loopback, and fails as a network does. */
export class TcpRelay {
  readonly #listener: Server;
  readonly #lines = new Set<Line>();
  #holds = false;

  private constructor(listener: Server) {
    this.#listener = listener;
  }

  static async start(targetPort: number): Promise<TcpRelay> {
    const listener = createServer();
    const relay = new TcpRelay(listener);
    listener.on("connection", (client) => relay.#connect(client, targetPort));
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    return relay;
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port;
  }

  /** Ends one connection without a word. */
  cutOne(random: Random): void {
    const lines = [...this.#lines];
    if (lines.length > 0) this.#cut(lines[random.integer(0, lines.length - 1)]!);
  }

  /** The server hears everything, and nobody hears what it says. */
  holdAnswers(): void {
    this.#holds = true;
    for (const { server } of this.#lines) server.pause();
  }

  releaseAnswers(): void {
    this.#holds = false;
    for (const { server } of this.#lines) server.resume();
  }

  async stop(): Promise<void> {
    const closed = once(this.#listener, "close");
    this.#listener.close();
    for (const line of this.#lines) this.#cut(line);
    await closed;
  }

  #connect(client: Socket, port: number): void {
    const line = { client, server: connect({ port, host: "127.0.0.1" }) };
    this.#lines.add(line);
    for (const socket of [line.client, line.server]) {
      socket.setNoDelay(true);
      socket.on("error", () => this.#cut(line));
      socket.on("close", () => this.#cut(line));
    }
    client.on("data", (bytes) => line.server.write(bytes));
    line.server.on("data", (bytes) => client.write(bytes));
    if (this.#holds) line.server.pause();
  }

  #cut(line: Line): void {
    this.#lines.delete(line);
    line.client.destroy();
    line.server.destroy();
  }
}
