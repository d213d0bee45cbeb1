import { once } from "node:events";
import {
  createServer,
  request as forward,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";

/** What goes wrong with a write request. */
export type WriteFault =
  /** It is answered so and does not get to influxd. */
  | { readonly status: number; readonly error: string }
  /** It is read, and never answered. */
  | "hang"
  /** influxd takes it, and of its answer only the beginning arrives. */
  | "hang_in_answer"
  /** The connection is cut, and nothing gets to influxd. */
  | "cut_before"
  /** The connection is cut when influxd has taken it. */
  | "cut_after"
  /** It gets there bit by bit. */
  | "trickle"
  /** influxd takes all lines but those, and says so as it does of fields of another type. */
  | { readonly poison: (line: string) => boolean };

/** As influxd 1.6 and 1.8 word it. */
export const DISK_FULL: WriteFault = {
  status: 500,
  error:
    "engine: error writing WAL entry: write /var/lib/influxdb/wal/market/candles/2/_00001.wal: no space left on device",
};
/** As a proxy without a server behind it words it, or an influxd with too many requests. */
export const UNAVAILABLE: WriteFault = { status: 503, error: "request throttled, queue full" };
const TYPE_CONFLICT =
  'partial write: field type conflict: input field "open" on measurement "candles" is type float, already exists as type string';

const TRICKLE_PIECES = 10;
const TRICKLE_PAUSE_MS = 30;
/** As much of an answer as shows its status, and not its end. */
const HALF_ANSWER = "HTTP/1.1 204 No Content\r\nContent-Type: application/json\r\nX-Influxdb";

/** Stands between a pipeline and a real influxd, and lets writes go wrong. */
export class FaultyInfluxd {
  readonly url: string;
  /** Decides for each write what goes wrong; undefined: nothing. Queries always get through. */
  fault: (policy: string) => WriteFault | undefined = () => undefined;
  /** Requests that went wrong. */
  struck = 0;
  readonly #server: Server;
  readonly #target: string;

  private constructor(server: Server, target: string) {
    this.#server = server;
    this.#target = target;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("request", (request, response) => {
      // A client or a server that goes away is what this is for.
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  /** @param target address of the influxd */
  static async start(target: string): Promise<FaultyInfluxd> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new FaultyInfluxd(server, target);
  }

  /** Cuts all connections, those that hang too. */
  cutAll(): void {
    this.#server.closeAllConnections();
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cutAll();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const { pathname, searchParams } = new URL(request.url!, this.#target);
    const fault = pathname === "/write" ? this.fault(searchParams.get("rp") ?? "") : undefined;
    if (fault === undefined) {
      await this.#passOn(request, body, response);
      return;
    }
    this.struck++;
    if (typeof fault === "object" && "status" in fault) {
      answer(response, fault.status, fault.error);
    } else if (typeof fault === "object") {
      await this.#refuseSome(request, body, response, fault.poison);
    } else if (fault === "cut_before") {
      response.destroy();
    } else if (fault === "trickle") {
      await this.#passOn(request, body, response, TRICKLE_PAUSE_MS);
    } else if (fault !== "hang") {
      await this.#ask(request, body);
      if (fault === "cut_after") response.destroy();
      else response.socket!.write(HALF_ANSWER);
    }
  }

  async #refuseSome(
    request: IncomingMessage,
    body: Buffer,
    response: ServerResponse,
    isPoison: (line: string) => boolean,
  ): Promise<void> {
    const lines = body.toString().split("\n");
    const good = lines.filter((line) => !isPoison(line));
    if (good.length === lines.length) {
      await this.#passOn(request, body, response);
      return;
    }
    if (good.length > 0) await this.#ask(request, Buffer.from(good.join("\n")));
    answer(response, 400, `${TYPE_CONFLICT} dropped=${lines.length - good.length}`);
  }

  async #passOn(
    request: IncomingMessage,
    body: Buffer,
    response: ServerResponse,
    pauseMs = 0,
  ): Promise<void> {
    const { status, headers, text } = await this.#ask(request, body, pauseMs);
    response.writeHead(status, headers).end(text);
  }

  /** The answer of influxd. */
  async #ask(request: IncomingMessage, body: Buffer, pauseMs = 0) {
    const { "content-length": _, "transfer-encoding": __, ...headers } = request.headers;
    const outgoing = forward(new URL(request.url!, this.#target), { method: request.method, headers });
    const answered = once(outgoing, "response") as Promise<[IncomingMessage]>;
    const size = pauseMs === 0 ? body.length : Math.ceil(body.length / TRICKLE_PIECES);
    for (let from = 0; from < body.length; from += size) {
      if (from > 0) await delay(pauseMs);
      outgoing.write(body.subarray(from, from + size));
    }
    outgoing.end();
    const [incoming] = await answered;
    return { status: incoming.statusCode!, headers: incoming.headers, text: await buffer(incoming) };
  }
}

/** Answers as influxd does. */
function answer(response: ServerResponse, status: number, error: string): void {
  response
    .writeHead(status, { "content-type": "application/json", "x-influxdb-error": error })
    .end(`${JSON.stringify({ error })}\n`);
}
