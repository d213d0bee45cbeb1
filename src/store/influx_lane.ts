import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "../observe/log.ts";
import { Tally } from "../observe/tally.ts";
import { judgeAnswer, judgeFailure, quotedLines, type WriteVerdict } from "./write_verdict.ts";

const MAX_BATCH_LINES = 5_000;
/** Beyond influxd's own write timeout of 10 s: a request that we give up is not applied later behind our back. */
const REQUEST_TIMEOUT_MS = 15_000;
const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 5_000;
const REFUSED_RETRY_MS = 5_000;
const LOG_INTERVAL_MS = 10_000;
const MAX_LOGGED_CHARS = 300;

/** How to reach InfluxDB. */
export interface InfluxTarget {
  readonly url: string;
  readonly database: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

export interface LaneOptions {
  /** Log field and metrics label. */
  readonly name: string;
  readonly target: InfluxTarget;
  readonly retentionPolicy: string;
  readonly precision: "ms" | "ns";
  /** Longest time that a line waits for others, ms. */
  readonly flushMs: number;
  /** Requests at a time. With 1 lines are applied in order, so a later line of a point wins. */
  readonly inFlight: number;
  /** Most lines that wait; beyond it {@link InfluxLane.room} makes the caller wait. */
  readonly maxLines: number;
  /** Called when InfluxDB does not know the database or the retention policy any more. */
  readonly onMissing?: () => Promise<void>;
  readonly log: Logger;
}

/**
 * Writes lines to one retention policy: in batches, for ever until they are stored, in bounded memory. One bad line
 * costs no other line.
 */
export class InfluxLane {
  /** Lines by what became of them: `stored`, `beyond_retention`, `poison`. */
  readonly lines = new Tally();
  /** Requests that had to be repeated, by cause. */
  readonly retries = new Tally();
  readonly #options: LaneOptions;
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #stop = new AbortController();
  readonly #workers: Promise<void>[];
  /** Lines that are not in a request yet, at most `maxLines` and one batch of the caller's. */
  #waiting: string[] = [];
  #waitingSinceMs = 0;
  #sending = 0;
  #flushing = false;
  #wakeWorkers: (() => void)[] = [];
  #wakeCallers: (() => void)[] = [];
  #loggedMs = Number.NEGATIVE_INFINITY;
  #obstacle: string | undefined;

  constructor(options: LaneOptions) {
    const { target, retentionPolicy, precision } = options;
    this.#options = options;
    const query = new URLSearchParams({ db: target.database, rp: retentionPolicy, precision });
    this.#url = `${target.url.replace(/\/$/, "")}/write?${query}`;
    const credentials = `${target.username ?? ""}:${target.password ?? ""}`;
    this.#headers =
      target.username === undefined
        ? {}
        : { authorization: `Basic ${Buffer.from(credentials).toString("base64")}` };
    this.#workers = Array.from({ length: options.inFlight }, () => this.#work());
  }

  /** Lines that are not stored yet. */
  get pending(): number {
    return this.#waiting.length + this.#sending;
  }

  /** Why InfluxDB did not take the latest request; absent if it did. */
  get obstacle(): string | undefined {
    return this.#obstacle;
  }

  /** Takes a line. The caller respects {@link room}. */
  append(line: string): void {
    if (this.#waiting.length === 0) this.#waitingSinceMs = performance.now();
    this.#waiting.push(line);
    if (this.#waiting.length === 1 || this.#waiting.length === MAX_BATCH_LINES) this.#wake(this.#wakeWorkers);
  }

  /** Resolves when there is room for more lines, or the signal is aborted. */
  async room(signal: AbortSignal): Promise<void> {
    await this.#until(() => this.#waiting.length < this.#options.maxLines, signal);
  }

  /** Writes what waits now, and resolves when all of it is stored, or the signal is aborted. */
  async flush(signal: AbortSignal): Promise<void> {
    this.#flushing = true;
    this.#wake(this.#wakeWorkers);
    await this.#until(() => this.pending === 0, signal);
    this.#flushing = false;
  }

  /** Stops without waiting; returns how many lines were not stored. */
  async close(): Promise<number> {
    const left = this.pending;
    this.#stop.abort();
    this.#wake(this.#wakeWorkers);
    await Promise.all(this.#workers);
    return left;
  }

  async #until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    const onAbort = () => this.#wake(this.#wakeCallers);
    signal.addEventListener("abort", onAbort);
    while (!condition() && !signal.aborted) {
      await new Promise<void>((resolve) => this.#wakeCallers.push(resolve));
    }
    signal.removeEventListener("abort", onAbort);
  }

  #wake(sleepers: (() => void)[]): void {
    for (const wake of sleepers.splice(0)) wake();
  }

  async #work(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const lines = await this.#nextBatch();
      this.#sending += lines.length;
      await this.#write(lines);
      this.#sending -= lines.length;
      this.#wake(this.#wakeCallers);
    }
  }

  async #nextBatch(): Promise<string[]> {
    while (!this.#stop.signal.aborted) {
      const ageMs = performance.now() - this.#waitingSinceMs;
      const count = this.#waiting.length;
      const due = count >= MAX_BATCH_LINES || ageMs >= this.#options.flushMs || this.#flushing;
      if (count > 0 && due) return this.#waiting.splice(0, MAX_BATCH_LINES);
      await this.#sleep(count === 0 ? undefined : this.#options.flushMs - ageMs);
    }
    return [];
  }

  /** Waits for lines, at most so long. */
  async #sleep(maxMs: number | undefined): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = maxMs === undefined ? undefined : setTimeout(resolve, Math.ceil(maxMs));
      this.#wakeWorkers.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** Writes lines until each is stored, or was found to be one that cannot be. */
  async #write(lines: string[]): Promise<void> {
    let retryMs = MIN_RETRY_MS;
    while (lines.length > 0 && !this.#stop.signal.aborted) {
      const verdict = await this.#post(lines);
      this.#obstacle = "cause" in verdict ? verdict.cause : undefined;
      switch (verdict.kind) {
        case "stored":
        case "beyond_retention":
          this.lines.add(verdict.kind, lines.length);
          return;
        case "divide":
          await this.#writeParts(lines, verdict.message);
          return;
        case "refused":
          this.retries.add(verdict.cause);
          this.#warn({ cause: verdict.cause, answer: verdict.message.slice(0, MAX_LOGGED_CHARS) });
          await this.#options.onMissing?.();
          await this.#pause(REFUSED_RETRY_MS);
          break;
        case "retry":
          this.retries.add(verdict.cause);
          this.#warn({ cause: verdict.cause });
          await this.#pause(retryMs * (0.5 + Math.random()));
          retryMs = Math.min(2 * retryMs, MAX_RETRY_MS);
      }
    }
  }

  /** Cuts out the lines that InfluxDB names, else halves the batch until the bad line stands alone. */
  async #writeParts(lines: string[], message: string): Promise<void> {
    const named = quotedLines(message);
    const good = lines.filter((line) => !named.has(line));
    for (const line of lines) if (named.has(line)) this.#drop(line, message);
    if (good.length < lines.length) {
      await this.#write(good);
    } else if (lines.length === 1) {
      this.#drop(lines[0]!, message);
    } else {
      const middle = lines.length >>> 1;
      await this.#write(lines.slice(0, middle));
      await this.#write(lines.slice(middle));
    }
  }

  #drop(line: string, message: string): void {
    this.lines.add("poison");
    const shown = { line: line.slice(0, MAX_LOGGED_CHARS), answer: message.slice(0, MAX_LOGGED_CHARS) };
    this.#options.log.error({ lane: this.#options.name, ...shown }, "InfluxDB cannot store a line");
  }

  async #post(lines: readonly string[]): Promise<WriteVerdict> {
    try {
      const response = await fetch(this.#url, {
        method: "POST",
        headers: this.#headers,
        body: Buffer.from(lines.join("\n")),
        signal: AbortSignal.any([AbortSignal.timeout(REQUEST_TIMEOUT_MS), this.#stop.signal]),
      });
      return judgeAnswer(response.status, await response.text());
    } catch (error) {
      return judgeFailure(error);
    }
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }

  #warn(details: object): void {
    const nowMs = performance.now();
    if (nowMs - this.#loggedMs < LOG_INTERVAL_MS) return;
    this.#loggedMs = nowMs;
    const { name: lane, log } = this.#options;
    log.warn({ lane, ...details, pending: this.pending }, "InfluxDB does not take writes, trying again");
  }
}
