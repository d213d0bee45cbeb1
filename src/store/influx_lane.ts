import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "../observe/log.ts";
import { Tally } from "../observe/tally.ts";
import { untilAborted } from "./until_aborted.ts";
import { type InfluxTarget, WriteEndpoint } from "./write_endpoint.ts";
import { quotedLines, type WriteVerdict } from "./write_verdict.ts";

export type { InfluxTarget } from "./write_endpoint.ts";

const MAX_BATCH_LINES = 5_000;
/** Beyond influxd's own write timeout of 10 s: a request that we give up is not applied later behind our back. */
const REQUEST_TIMEOUT_MS = 15_000;
const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 5_000;
const REFUSED_RETRY_MS = 5_000;
const PERMIT_POLL_MS = 50;
const LOG_INTERVAL_MS = 10_000;
const MAX_LOGGED_CHARS = 300;
/** Most bad lines that are logged per log interval; all of them are counted. */
const MAX_LOGGED_LINES = 100;

/** Whether lines may be written now, or perhaps later, or never by this process as somebody else writes them. */
export type WritePermit = "write" | "wait" | "leave";

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
  /** Called when InfluxDB does not know the database or the retention policy any more; it may fail. */
  readonly onMissing?: () => Promise<unknown>;
  /** Called when InfluxDB takes lines again after that: what it had stored before is gone. */
  readonly onFound?: () => void;
  /** Asked before each request. @default always `write` */
  readonly permit?: () => WritePermit;
  /** Longest time until a request is answered, ms. @default 15,000 */
  readonly requestTimeoutMs?: number;
  readonly log: Logger;
}

/**
 * Writes lines to one retention policy: in batches, for ever until they are stored, in bounded memory. One bad line
 * costs no other line.
 */
export class InfluxLane {
  /** Lines by what became of them: `stored`, `beyond_retention`, `poison`, or `left` to another writer. */
  readonly lines = new Tally();
  /** Requests that had to be repeated, by cause. */
  readonly retries = new Tally();
  readonly #options: LaneOptions;
  readonly #endpoint: WriteEndpoint;
  readonly #stop = new AbortController();
  readonly #workers: Promise<void>[];
  /** Lines that are not in a batch yet, at most `maxLines` and one batch of each caller's. */
  #waiting: string[] = [];
  #waitingSinceMs = 0;
  /** Lines that were ever taken; the number of a line is how many were taken before it. */
  #taken = 0;
  /** Numbers of the first lines of the batches that are being written. */
  readonly #batches = new Set<number>();
  /** Lines in batches that are neither stored nor dropped yet. */
  #sending = 0;
  /** Lines below this number do not wait for others. */
  #urgentTo = 0;
  #wakeWorkers: (() => void)[] = [];
  #wakeCallers: (() => void)[] = [];
  #loggedMs = Number.NEGATIVE_INFINITY;
  #obstacle: string | undefined;
  #misses = false;
  #loggedLines = 0;
  #loggedLinesMs = Number.NEGATIVE_INFINITY;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#endpoint = new WriteEndpoint({ requestTimeoutMs: REQUEST_TIMEOUT_MS, ...options });
    this.#workers = Array.from({ length: options.inFlight }, () => this.#work());
  }

  /** Lines that were ever taken: each is pending, or in {@link lines}. */
  get taken(): number {
    return this.#taken;
  }

  /** Lines that are not stored yet. */
  get pending(): number {
    return this.#waiting.length + this.#sending;
  }

  /** Why InfluxDB did not take the latest request, and in its own words; absent if it did. */
  get obstacle(): string | undefined {
    return this.#obstacle;
  }

  /** Takes a line. The caller respects {@link room}. */
  append(line: string): void {
    if (this.#waiting.length === 0) this.#waitingSinceMs = performance.now();
    this.#waiting.push(line);
    this.#taken++;
    if (this.#waiting.length === 1 || this.#waiting.length === MAX_BATCH_LINES) this.#wake(this.#wakeWorkers);
  }

  /** Resolves when there is room for more lines, the signal is aborted, or the lane is closed. */
  async room(signal: AbortSignal): Promise<void> {
    await this.#until(() => this.#waiting.length < this.#options.maxLines, signal);
  }

  /**
   * Writes what waits now, and resolves when all of it is stored, the signal is aborted, or the lane is closed. Lines
   * that come later are not waited for.
   */
  async flush(signal: AbortSignal): Promise<void> {
    const end = this.#taken;
    this.#urgentTo = end;
    this.#wake(this.#wakeWorkers);
    await this.#until(() => this.#oldest >= end, signal);
  }

  /** Stops without waiting for answers; returns how many lines were not stored as far as is known. */
  async close(): Promise<number> {
    this.#stop.abort();
    this.#wake(this.#wakeWorkers);
    this.#wake(this.#wakeCallers);
    await Promise.all(this.#workers);
    return this.pending;
  }

  /** Number of the first line that waits for a batch. */
  get #nextLine(): number {
    return this.#taken - this.#waiting.length;
  }

  /** Number of the oldest line that may not be settled yet. */
  get #oldest(): number {
    return Math.min(this.#nextLine, ...this.#batches);
  }

  async #until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    const onAbort = () => this.#wake(this.#wakeCallers);
    signal.addEventListener("abort", onAbort);
    while (!condition() && !signal.aborted && !this.#stop.signal.aborted) {
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
      const batch = await this.#nextBatch();
      if (batch === undefined) return;
      this.#wake(this.#wakeCallers);
      await this.#write(batch.lines);
      // What an aborted write left stays in the account: close() reports it.
      if (!signal.aborted) this.#batches.delete(batch.first);
      this.#wake(this.#wakeCallers);
    }
  }

  async #nextBatch(): Promise<{ first: number; lines: string[] } | undefined> {
    while (!this.#stop.signal.aborted) {
      const ageMs = performance.now() - this.#waitingSinceMs;
      const count = this.#waiting.length;
      const first = this.#nextLine;
      const due = count >= MAX_BATCH_LINES || ageMs >= this.#options.flushMs || first < this.#urgentTo;
      if (count > 0 && due) {
        const lines = this.#waiting.splice(0, MAX_BATCH_LINES);
        this.#batches.add(first);
        this.#sending += lines.length;
        return { first, lines };
      }
      await this.#sleep(count === 0 ? undefined : this.#options.flushMs - ageMs);
    }
    return undefined;
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
    const { signal } = this.#stop;
    let retryMs = MIN_RETRY_MS;
    while (lines.length > 0 && !signal.aborted) {
      const permit = this.#options.permit?.();
      if (permit === "leave") {
        this.#settle("left", lines.length);
        return;
      }
      if (permit === "wait") {
        await this.#pause(PERMIT_POLL_MS);
        continue;
      }
      const verdict = await this.#endpoint.post(lines, signal);
      if (signal.aborted && verdict.kind === "retry") return;
      this.#judgeState(verdict);
      switch (verdict.kind) {
        case "stored":
          this.#settle("stored", lines.length);
          return;
        case "beyond_retention": {
          // InfluxDB tells of nothing else then; a bad line beside old ones passes for a stored one.
          const dropped = Math.min(verdict.dropped, lines.length);
          this.#settle("beyond_retention", dropped);
          this.#settle("stored", lines.length - dropped);
          return;
        }
        case "divide":
          await this.#writeParts(lines, verdict.message);
          return;
        case "refused":
          this.#noteRetry(verdict);
          await this.#pause(REFUSED_RETRY_MS);
          break;
        case "missing":
          this.#noteRetry(verdict);
          await this.#restore();
          await this.#pause(retryMs);
          retryMs = Math.min(2 * retryMs, MAX_RETRY_MS);
          break;
        case "retry":
          this.#noteRetry(verdict);
          await this.#pause(retryMs * (0.5 + Math.random()));
          retryMs = Math.min(2 * retryMs, MAX_RETRY_MS);
      }
    }
  }

  /** Notes how InfluxDB is, and when it is well again after it had missed the place to write to. */
  #judgeState(verdict: WriteVerdict): void {
    if ("cause" in verdict) {
      this.#obstacle = `${verdict.cause}: ${verdict.message.trim().slice(0, MAX_LOGGED_CHARS)}`;
      if (verdict.kind === "missing") this.#misses = true;
      return;
    }
    this.#obstacle = undefined;
    if (!this.#misses) return;
    this.#misses = false;
    this.#options.onFound?.();
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
    this.#settle("poison", 1);
    const nowMs = performance.now();
    if (nowMs - this.#loggedLinesMs >= LOG_INTERVAL_MS) {
      this.#loggedLinesMs = nowMs;
      this.#loggedLines = 0;
    }
    if (++this.#loggedLines > MAX_LOGGED_LINES) return;
    const shown = { line: line.slice(0, MAX_LOGGED_CHARS), answer: message.slice(0, MAX_LOGGED_CHARS) };
    this.#options.log.error({ lane: this.#options.name, ...shown }, "InfluxDB cannot store a line");
  }

  #settle(fate: "stored" | "beyond_retention" | "poison" | "left", count: number): void {
    if (count === 0) return;
    this.#sending -= count;
    this.lines.add(fate, count);
  }

  /** Lets the owner provision InfluxDB; one that hangs does not keep the lane from being closed. */
  async #restore(): Promise<void> {
    const { onMissing, log, name: lane } = this.#options;
    if (onMissing === undefined) return;
    try {
      await untilAborted(onMissing(), this.#stop.signal);
    } catch (error) {
      if (!this.#stop.signal.aborted) log.warn({ err: error, lane }, "cannot restore what InfluxDB misses");
    }
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }

  #noteRetry({ cause, message }: { cause: string; message: string }): void {
    this.retries.add(cause);
    const nowMs = performance.now();
    if (nowMs - this.#loggedMs < LOG_INTERVAL_MS) return;
    this.#loggedMs = nowMs;
    const { name: lane, log } = this.#options;
    const details = { lane, cause, answer: message.slice(0, MAX_LOGGED_CHARS), pending: this.pending };
    log.warn(details, "InfluxDB does not take writes, trying again");
  }
}
