import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** What a request is answered with: a status with a body, or a way to fail. */
export type Answer =
  | { readonly status: number; readonly body?: string; readonly headers?: Record<string, string> }
  /** As influxd answers to a bad line with control characters. */
  | "control_characters"
  /** Bytes that are no HTTP. */
  | "no_http"
  /** The connection is cut after the headers and a part of the body. */
  | "cut_body"
  /** The connection is cut at once. */
  | "cut"
  | "silence";

export interface WriteRequest {
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  readonly lines: readonly string[];
}

export const STORED: Answer = { status: 204 };

/** An error as InfluxDB words it. */
export function influxError(status: number, error: string): Exclude<Answer, string> {
  return { status, body: `${JSON.stringify({ error })}\n` };
}

/** Stands in for InfluxDB's write endpoint: a test decides every answer. */
export class ScriptedInflux {
  readonly url: string;
  readonly requests: WriteRequest[] = [];
  /** Lines of the requests that were answered with 204, in their order. */
  readonly stored: string[] = [];
  /** Most requests that were unanswered at a time. */
  mostAtATime = 0;
  /** Decides the answer; `number` counts the requests from 1. */
  answer: (request: WriteRequest, number: number) => Answer | Promise<Answer> = () => STORED;
  readonly #server: Server;
  #atATime = 0;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("request", (request, response) => void this.#serve(request, response));
  }

  static async start(): Promise<ScriptedInflux> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new ScriptedInflux(server);
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    this.mostAtATime = Math.max(this.mostAtATime, ++this.#atATime);
    const body = await text(message).catch(() => "");
    const request: WriteRequest = {
      query: new URL(message.url!, this.url).searchParams,
      authorization: message.headers.authorization,
      lines: body === "" ? [] : body.split("\n"),
    };
    this.requests.push(request);
    const answer = await this.answer(request, this.requests.length);
    this.#atATime--;
    if (typeof answer === "object") {
      if (answer.status === 204) this.stored.push(...request.lines);
      response.writeHead(answer.status, answer.headers).end(answer.body);
      return;
    }
    switch (answer) {
      case "control_characters":
        response.socket?.write(
          "HTTP/1.1 400 Bad Request\r\nX-Influxdb-Error: unable to parse 'm \x00=1'\r\n\r\n",
        );
        return;
      case "no_http":
        response.socket?.end('INFO {"server_id":"N"}\r\n');
        return;
      case "cut_body":
        response.writeHead(400, { "content-length": 1_000 }).write('{"error":"par');
        response.socket?.end();
        return;
      case "cut":
        response.socket?.resetAndDestroy();
        return;
      case "silence":
    }
  }
}
