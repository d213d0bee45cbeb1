import { Backoff } from "../actor/backoff.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { Market } from "../market/market.ts";

const ACK_TIMEOUT_MS = 10_000;
const REFUSED_MIN_MS = 1000;
const REFUSED_MAX_MS = 60_000;

interface Request {
  readonly markets: readonly Market[];
  id: number;
  readonly backoff: Backoff;
  /** When to send it, ms by the local monotonic clock; Infinity once the venue serves it. */
  dueMs: number;
}

/**
 * The subscriptions of one connection, in as many requests as the venue's limits ask for. A request is repeated
 * until the venue acknowledges it, or sends a trade that it asked for: an acknowledgement may get lost.
 */
export class Subscription {
  readonly #exchange: Exchange;
  readonly #requests: Request[] = [];
  #lastId = 0;
  #open: number;

  constructor(exchange: Exchange, markets: readonly Market[], random: () => number) {
    this.#exchange = exchange;
    const size = exchange.limits.streamsPerRequest;
    for (let i = 0; i < markets.length; i += size) {
      this.#requests.push({
        markets: markets.slice(i, i + size),
        id: 0,
        dueMs: 0,
        backoff: new Backoff({ minMs: REFUSED_MIN_MS, maxMs: REFUSED_MAX_MS, random }),
      });
    }
    this.#open = this.#requests.length;
  }

  /** Whether the venue serves all of it. */
  get served(): boolean {
    return this.#open === 0;
  }

  isServed(request: number): boolean {
    return this.#requests[request]?.dueMs === Number.POSITIVE_INFINITY;
  }

  /** The text of a request that is due, or undefined. To be asked once per `requestIntervalMs`. */
  nextRequest(nowMs: number): string | undefined {
    const request = this.#requests.find(({ dueMs }) => dueMs <= nowMs);
    if (request === undefined) return undefined;
    request.id = ++this.#lastId;
    request.dueMs = nowMs + ACK_TIMEOUT_MS;
    return this.#exchange.subscribeRequest(request.markets, request.id);
  }

  /** Takes an acknowledgement; true if it was news. */
  acknowledge(requestId: number): boolean {
    return this.serve(this.#requests.findIndex(({ id }) => id === requestId));
  }

  /** Notes that the venue serves a request; true if it was news. */
  serve(index: number): boolean {
    const request = this.#requests[index];
    if (request === undefined || request.dueMs === Number.POSITIVE_INFINITY) return false;
    request.dueMs = Number.POSITIVE_INFINITY;
    this.#open--;
    return true;
  }

  /** Takes a refusal: the request is repeated, ever later. */
  refuse(requestId: number, nowMs: number): void {
    const request = this.#requests.find(
      ({ id, dueMs }) => id === requestId && dueMs < Number.POSITIVE_INFINITY,
    );
    if (request === undefined) return;
    request.dueMs = nowMs + request.backoff.nextMs();
  }
}
