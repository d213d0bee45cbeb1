import { judgeAnswer, judgeFailure, type WriteVerdict } from "./write_verdict.ts";

/** How to reach InfluxDB. */
export interface InfluxTarget {
  readonly url: string;
  readonly database: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

export interface WriteEndpointOptions {
  readonly target: InfluxTarget;
  readonly retentionPolicy: string;
  readonly precision: "ms" | "ns";
  /** Longest time until the whole answer is there, ms. */
  readonly requestTimeoutMs: number;
}

/** Where the lines of one retention policy are posted to. */
export class WriteEndpoint {
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #timeoutMs: number;

  constructor({ target, retentionPolicy, precision, requestTimeoutMs }: WriteEndpointOptions) {
    const query = new URLSearchParams({ db: target.database, rp: retentionPolicy, precision });
    this.#url = `${target.url.replace(/\/$/, "")}/write?${query}`;
    const credentials = `${target.username ?? ""}:${target.password ?? ""}`;
    this.#headers =
      target.username === undefined
        ? {}
        : { authorization: `Basic ${Buffer.from(credentials).toString("base64")}` };
    this.#timeoutMs = requestTimeoutMs;
  }

  /**
   * Posts lines once. The request has a controller of its own: what `AbortSignal.any` leaves behind on a signal that
   * outlives it, Node 20 does not collect.
   */
  async post(lines: readonly string[], signal: AbortSignal): Promise<WriteVerdict> {
    const request = new AbortController();
    const onAbort = () => request.abort(signal.reason);
    const onTimeout = () =>
      request.abort(new DOMException(`no answer within ${this.#timeoutMs} ms`, "TimeoutError"));
    signal.addEventListener("abort", onAbort);
    const timer = setTimeout(onTimeout, this.#timeoutMs);
    try {
      const response = await fetch(this.#url, {
        method: "POST",
        headers: this.#headers,
        body: Buffer.from(lines.join("\n")),
        // A redirect turns POST into GET, and credentials are meant for the configured host alone.
        redirect: "manual",
        signal: request.signal,
      });
      return judgeAnswer(response.status, await response.text());
    } catch (error) {
      return judgeFailure(error);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }
}
