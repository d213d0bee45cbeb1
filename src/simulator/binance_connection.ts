import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";

/** A connection may listen to this many streams, as Binance limits it. */
const MAX_STREAMS = 1024;
/** Pings and requests that a client may send in a second before it is disconnected, as Binance limits it. */
const MAX_MESSAGES_PER_SECOND = 5;
const POLICY_VIOLATION = 1008;
const MAX_ID_LENGTH = 36;
const METHODS = ["SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY"];

/** Codes of Binance's error answers. */
const UNKNOWN_PROPERTY = 0;
const INVALID_VALUE_TYPE = 1;
const INVALID_REQUEST = 2;
const INVALID_JSON = 3;
const TOO_MANY_STREAMS = 4;

type RequestId = number | string | null;

/** An error answer as Binance documents it. */
interface Refusal {
  readonly code: number;
  readonly msg: string;
  readonly id?: RequestId;
}

/** One client of the stand-in exchange, with its subscriptions and requests. */
export class BinanceConnection {
  readonly streams: Set<string>;
  combined: boolean;
  readonly #socket: WebSocket;
  /** The stream below the WebSocket: finished frames go there without being built once more for each client. */
  readonly #raw: Duplex;
  readonly #nestsErrors: boolean;
  readonly #refuses: () => boolean;
  readonly #onSubscribed: (stream: string) => void;
  readonly #onUnsubscribed: (stream: string) => void;
  #out: string[] = [];
  #windowStartMs = 0;
  #messagesInWindow = 0;

  constructor(options: {
    socket: WebSocket;
    raw: Duplex;
    combined: boolean;
    /** Whether error answers are `{"error":{…},"id":…}`. */
    nestsErrors: boolean;
    /** Whether requests are refused at the moment, whatever they ask for. */
    refuses: () => boolean;
    onSubscribed: (stream: string) => void;
    onUnsubscribed: (stream: string) => void;
  }) {
    this.#socket = options.socket;
    this.#raw = options.raw;
    this.combined = options.combined;
    this.streams = new Set();
    this.#onSubscribed = options.onSubscribed;
    this.#onUnsubscribed = options.onUnsubscribed;
    this.#nestsErrors = options.nestsErrors;
    this.#refuses = options.refuses;
    options.socket.on("ping", () => this.#countMessage());
    options.socket.on("message", (data, isBinary) => this.#onMessage(isBinary ? "" : data.toString()));
  }

  /** Bytes that the client has not taken yet. */
  get bufferedBytes(): number {
    return this.#raw.writableLength;
  }

  /** Listens to a stream, as the URL of the connection or a request asks. */
  subscribe(stream: string): void {
    if (this.streams.has(stream)) return;
    this.streams.add(stream);
    this.#onSubscribed(stream);
  }

  /** Queues a finished frame, in Latin-1 text, until {@link flush}. */
  queue(frame: string): void {
    this.#out.push(frame);
  }

  /** Sends the queued frames with one write. */
  flush(): void {
    if (this.#out.length === 0) return;
    if (!this.#raw.destroyed) this.#raw.write(this.#out.join(""), "latin1");
    this.#out.length = 0;
  }

  /** Sends text or bytes as a message of its own, whatever they are. */
  send(data: string | Buffer): void {
    this.flush();
    this.#socket.send(data);
  }

  /** Sends what is queued, stops listening and closes the connection in the orderly way. */
  close(code: number, reason?: string): void {
    this.flush();
    this.unsubscribeAll();
    this.#socket.close(code, reason);
  }

  /** Stops listening to all streams. */
  unsubscribeAll(): void {
    for (const stream of this.streams) this.#onUnsubscribed(stream);
    this.streams.clear();
  }

  /** Whether the client may send one more message. */
  #countMessage(): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#windowStartMs >= 1_000) {
      this.#windowStartMs = nowMs;
      this.#messagesInWindow = 0;
    }
    if (++this.#messagesInWindow <= MAX_MESSAGES_PER_SECOND) return true;
    this.close(POLICY_VIOLATION, "Too many requests");
    return false;
  }

  #onMessage(text: string): void {
    if (!this.#countMessage() || this.#socket.readyState !== this.#socket.OPEN) return;
    const answer = this.#answer(text);
    this.send(JSON.stringify("code" in answer && this.#nestsErrors ? nest(answer) : answer));
  }

  #answer(text: string): Refusal | { readonly result: unknown; readonly id: RequestId } {
    let request: unknown;
    try {
      request = JSON.parse(text);
    } catch (error) {
      const place = placeAt(text, positionOf(text, error as Error));
      return { code: INVALID_JSON, msg: `Invalid JSON: expected value ${place}` };
    }
    if (typeof request !== "object" || request === null || Array.isArray(request)) {
      return { code: INVALID_REQUEST, msg: "Invalid request: expected an object" };
    }
    const { method, params, id = null } = request as { method?: unknown; params?: unknown; id?: unknown };
    if (!isRequestId(id)) {
      return { code: INVALID_REQUEST, msg: "Invalid request: request ID must be an unsigned integer" };
    }
    const refuse = (code: number, msg: string) => ({ code, msg, id });
    if (this.#refuses()) return refuse(INVALID_REQUEST, "Invalid request: not now");
    if (method === undefined) {
      const place = placeAt(text, text.length);
      return refuse(INVALID_REQUEST, `Invalid request: missing field \`method\` ${place}`);
    }
    switch (method) {
      case "SUBSCRIBE":
      case "UNSUBSCRIBE": {
        if (!Array.isArray(params) || !params.every((name) => typeof name === "string")) {
          return refuse(INVALID_REQUEST, "Invalid request: params must be an array of strings");
        }
        return this.#change(method === "SUBSCRIBE", params, id);
      }
      case "LIST_SUBSCRIPTIONS":
        return { result: [...this.streams], id };
      case "SET_PROPERTY":
      case "GET_PROPERTY":
        return this.#property(method === "SET_PROPERTY", params, id);
      default: {
        const name = JSON.stringify(method);
        const place = placeAt(text, text.indexOf(name) + name.length);
        const known = METHODS.map((each) => `\`${each}\``).join(", ");
        const unknown = `unknown variant \`${String(method)}\`, expected one of ${known} ${place}`;
        return refuse(INVALID_REQUEST, `Invalid request: ${unknown}`);
      }
    }
  }

  #change(subscribe: boolean, names: readonly string[], id: RequestId) {
    if (!subscribe) {
      for (const name of names) if (this.streams.delete(name)) this.#onUnsubscribed(name);
      return { result: null, id };
    }
    if (new Set([...this.streams, ...names]).size > MAX_STREAMS) {
      return { code: TOO_MANY_STREAMS, msg: "Too many subscriptions", id };
    }
    for (const name of names) this.subscribe(name);
    return { result: null, id };
  }

  #property(set: boolean, params: unknown, id: RequestId) {
    const [name, value, ...rest] = Array.isArray(params) ? (params as unknown[]) : [];
    if (typeof name !== "string") {
      return { code: INVALID_REQUEST, msg: "Invalid request: property name must be a string", id };
    }
    if (rest.length > 0 || (!set && value !== undefined)) {
      return { code: INVALID_REQUEST, msg: "Invalid request: too many parameters", id };
    }
    if (name !== "combined") return { code: UNKNOWN_PROPERTY, msg: "Unknown property", id };
    if (!set) return { result: this.combined, id };
    if (typeof value !== "boolean") {
      return { code: INVALID_VALUE_TYPE, msg: "Invalid value type: expected Boolean", id };
    }
    this.combined = value;
    return { result: null, id };
  }
}

/** Binance takes a 64-bit integer, an alphanumeric string of up to 36 characters, or null. */
function isRequestId(id: unknown): id is RequestId {
  if (id === null) return true;
  if (typeof id === "string") return id.length <= MAX_ID_LENGTH && /^[A-Za-z0-9_-]*$/.test(id);
  return Number.isSafeInteger(id);
}

function nest({ id, ...error }: Refusal): object {
  return { error, ...(id === undefined ? {} : { id }) };
}

/** Where V8 stopped reading, as far as its message tells. */
function positionOf(text: string, { message }: Error): number {
  const position = /at position (\d+)/.exec(message)?.[1];
  if (position !== undefined) return Number(position) + 1;
  const token = /^Unexpected token '(.)'/u.exec(message)?.[1];
  return token === undefined ? text.length : text.indexOf(token) + 1;
}

function placeAt(text: string, position: number): string {
  const lines = text.slice(0, position).split("\n");
  return `at line ${lines.length} column ${lines.at(-1)!.length}`;
}
