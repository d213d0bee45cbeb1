import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A TCP connection's way that can be lost without a word: neither side hears of it. */
export class CuttableWire {
  readonly url: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #alive = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** @param port where connections lead to, on loopback */
  static async start(port: number): Promise<CuttableWire> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const wire = new CuttableWire(server);
    server.on("connection", (near) => wire.#join(near, connect(port, "127.0.0.1")));
    return wire;
  }

  /** Of the connections that there are nothing arrives any more, in neither direction. New ones work. */
  cut(): void {
    this.#alive.clear();
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  #join(near: Socket, far: Socket): void {
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      this.#alive.add(from);
      from.on("data", (data) => {
        if (this.#alive.has(from)) to.write(data);
      });
      from.on("error", () => from.destroy());
      from.on("close", () => {
        if (this.#alive.has(from)) to.destroy();
        this.#sockets.delete(from);
        this.#alive.delete(from);
      });
    }
  }
}
