import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

/** Scrapers and probes are few; whoever else comes has to wait. */
const MAX_CONNECTIONS = 64;
const REQUEST_TIMEOUT_MS = 5_000;
const LIMITS = {
  maxHeaderSize: 8_192,
  headersTimeout: REQUEST_TIMEOUT_MS,
  requestTimeout: REQUEST_TIMEOUT_MS,
  connectionsCheckingInterval: REQUEST_TIMEOUT_MS,
};
const TEXT = "text/plain; charset=utf-8";

/** What a process says about itself. */
export interface HealthSource {
  /** Why the process should be ended and started afresh; empty if it lives. */
  ailments(): readonly string[];
  /** What keeps the process from doing its job; empty if it does. */
  obstacles(): readonly string[];
  /** All metrics in the text format of Prometheus. */
  metrics(): Promise<string>;
}

export interface HealthServerOptions {
  readonly host: string;
  /** 0: one that the system picks. */
  readonly port: number;
}

/** Answers probes and Prometheus; see {@link startHealthServer}. */
export interface HealthServer {
  readonly port: number;
  stop(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly type?: string;
  readonly text: string;
}

/**
 * Serves `/livez`, `/readyz` and `/metrics`. An answer takes a turn of the event loop, so that `/livez` also tells
 * whether that still turns.
 *
 * @throws {Error} with the system's `code` if it cannot listen there
 * @example
 * ```ts
 * const server = await startHealthServer(health, { host: "127.0.0.1", port: 9100 });
 * ```
 */
export async function startHealthServer(
  source: HealthSource,
  { host, port }: HealthServerOptions,
): Promise<HealthServer> {
  const server = createServer(LIMITS, (request, response) => {
    void respond(source, request, response);
  });
  server.maxConnections = MAX_CONNECTIONS;
  await listening(server, { host, port });
  // Nobody who asks keeps a process alive that is done.
  server.unref();
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listening(server: Server, options: HealthServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
}

async function respond(source: HealthSource, request: IncomingMessage, response: ServerResponse) {
  const { status, type = TEXT, text } = await answerTo(source, request);
  if (status === 405) response.setHeader("allow", "GET, HEAD");
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
  });
  response.end(request.method === "HEAD" ? undefined : text);
}

async function answerTo(source: HealthSource, { url = "", method }: IncomingMessage): Promise<Answer> {
  const [path = ""] = url.split("?", 1);
  const answers: Readonly<Record<string, () => Answer | Promise<Answer>>> = {
    "/livez": () => verdict("ok", source.ailments()),
    "/readyz": () => verdict("ready", source.obstacles()),
    "/metrics": async () => ({
      status: 200,
      type: "text/plain; version=0.0.4; charset=utf-8",
      text: await source.metrics(),
    }),
  };
  const answer = Object.hasOwn(answers, path) ? answers[path] : undefined;
  if (answer === undefined) return { status: 404, text: `expected ${Object.keys(answers).join(", ")}\n` };
  if (method !== "GET" && method !== "HEAD") return { status: 405, text: "expected GET or HEAD\n" };
  try {
    return await answer();
  } catch (error) {
    return { status: 500, text: `${error instanceof Error ? error.message : String(error)}\n` };
  }
}

/** 200 with a word if there are no reasons against it, else 503 with one reason a line. */
function verdict(word: string, reasons: readonly string[]): Answer {
  if (reasons.length === 0) return { status: 200, text: `${word}\n` };
  return { status: 503, text: reasons.map((reason) => `${reason}\n`).join("") };
}
