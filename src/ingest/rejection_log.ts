import type { Logger } from "../observe/log.ts";

/** One line per reason and this long. */
const INTERVAL_MS = 10_000;

export interface RejectionSample {
  readonly message: string;
  /** The beginning of the frame, where there is one. */
  readonly sample?: string;
}

/** Logs what was rejected without being flooded: the first of each reason, then one in ten seconds with the count. */
export class RejectionLog {
  readonly #log: Logger;
  /** One entry per reason; reasons are constants. */
  readonly #reasons = new Map<string, { loggedMs: number; unlogged: number }>();

  constructor(log: Logger) {
    this.#log = log;
  }

  note(reason: string, detail: RejectionSample, nowMs: number): void {
    let entry = this.#reasons.get(reason);
    if (entry === undefined) {
      entry = { loggedMs: Number.NEGATIVE_INFINITY, unlogged: 0 };
      this.#reasons.set(reason, entry);
    }
    entry.unlogged++;
    if (nowMs - entry.loggedMs < INTERVAL_MS) return;
    this.#log.warn({ reason, count: entry.unlogged, ...detail }, "rejected");
    entry.loggedMs = nowMs;
    entry.unlogged = 0;
  }
}
