import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "../observe/log.ts";
import type { Tally } from "../observe/tally.ts";
import { type Actor, type ActorState, FatalError } from "./actor.ts";
import type { Backoff } from "./backoff.ts";
import { isDenied } from "./denied.ts";

/** An actor is looked at this often within its `stallMs`; it has stalled when no look found a beat. */
const LOOKS_PER_STALL = 4;

/** What an actor's supervisor grants it. */
export interface SupervisionRules {
  readonly backoff: Backoff;
  readonly stableMs: number;
  readonly maxFailures: number;
  readonly failureWindowMs: number;
  readonly stopDeadlineMs: number;
  /** Monotonic clock, ms. */
  readonly now: () => number;
  readonly log: Logger;
  readonly events: Tally;
  /** By the actor's name. */
  readonly states: Map<string, ActorState>;
  /** Called once when a restart cannot help. */
  readonly escalate: (cause: unknown) => void;
}

type LifeEnd =
  | { readonly how: "returned" | "stopped" | "stalled" | "abandoned" }
  | { readonly how: "failed"; readonly error: unknown };

/** One actor with its successive lives: at most one at a time, unless one does not hear that it shall stop. */
export class SupervisedActor {
  /** Resolves when the actor is ready for the first time. */
  readonly ready: Promise<void>;
  readonly #actor: Actor;
  readonly #rules: SupervisionRules;
  readonly #stopping = new AbortController();
  readonly #lives: Promise<void>;
  /** Times of the latest failures, ms; at most one more than allowed. */
  readonly #failuresMs: number[] = [];
  #markReady: () => void = () => {};
  #interrupt: ((how: "stopped" | "stalled") => void) | undefined;

  /** Starts the actor. */
  constructor(actor: Actor, rules: SupervisionRules) {
    this.#actor = actor;
    this.#rules = rules;
    this.ready = new Promise((resolve) => {
      this.#markReady = resolve;
    });
    this.#lives = this.#live();
  }

  /** Stops the actor and waits until it has ended, or until it is given up for not ending in time. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#interrupt?.("stopped");
    await this.#lives;
    if (this.#rules.states.get(this.#actor.name) !== "escalated") this.#become("stopped");
  }

  async #live(): Promise<void> {
    const { backoff, log, events } = this.#rules;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const end = await this.#liveOnce();
      if (signal.aborted) return this.#reportStop(end);
      const error = errorOf(end);
      events.add(end.how);
      this.#become("failed");
      if (this.#escalates(error)) return;
      const waitMs = Math.round(backoff.nextMs());
      log.error({ actor: this.#actor.name, err: error, waitMs }, "actor failed, restarting");
      await delay(waitMs, undefined, { signal }).catch(() => {});
    }
  }

  async #liveOnce(): Promise<LifeEnd> {
    const { backoff, stableMs, stopDeadlineMs, now } = this.#rules;
    const life = new AbortController();
    this.#become("starting");
    let looksWithoutBeat = 0;
    let readyAtMs = Number.POSITIVE_INFINITY;
    const interrupted = new Promise<"stopped" | "stalled">((resolve) => {
      this.#interrupt = resolve;
    });
    const run = this.#run({
      signal: life.signal,
      ready: () => {
        readyAtMs = Math.min(readyAtMs, now());
        if (life.signal.aborted) return;
        this.#become("ready");
        this.#markReady();
      },
      beat: () => {
        looksWithoutBeat = 0;
      },
    });
    // Looks are counted instead of time: a process that was frozen for a while did not stall its actors.
    const { stallMs } = this.#actor;
    const look = () => {
      if (looksWithoutBeat++ >= LOOKS_PER_STALL) this.#interrupt?.("stalled");
    };
    const looking = stallMs === undefined ? undefined : setInterval(look, stallMs / LOOKS_PER_STALL);
    const first = await Promise.race([run, interrupted]);
    clearInterval(looking);
    this.#interrupt = undefined;
    if (now() - readyAtMs >= stableMs) backoff.reset();
    if (typeof first !== "string") return first;
    life.abort();
    const end = await endWithin(run, stopDeadlineMs);
    if (end === undefined) return { how: "abandoned" };
    return first === "stalled" ? { how: "stalled" } : end;
  }

  async #run(context: Parameters<Actor["run"]>[0]): Promise<LifeEnd> {
    try {
      await this.#actor.run(context);
      return { how: context.signal.aborted ? "stopped" : "returned" };
    } catch (error) {
      const isAnswerToStop = context.signal.aborted && error instanceof Error && error.name === "AbortError";
      return isAnswerToStop ? { how: "stopped" } : { how: "failed", error };
    }
  }

  #escalates(error: Error): boolean {
    const { now, maxFailures, failureWindowMs, events, escalate } = this.#rules;
    this.#failuresMs.push(now());
    if (this.#failuresMs.length > maxFailures + 1) this.#failuresMs.shift();
    const tooOften = this.#failuresMs.length > maxFailures && now() - this.#failuresMs[0]! <= failureWindowMs;
    if (!isFatal(error) && !tooOften) return false;
    events.add("escalated");
    this.#become("escalated");
    const { name } = this.#actor;
    escalate(
      isFatal(error)
        ? error
        : new FatalError(
            `Cannot keep actor "${name}" running: it failed ${maxFailures + 1} times in ${failureWindowMs} ms`,
            { cause: error },
          ),
    );
    return true;
  }

  #become(state: ActorState): void {
    this.#rules.states.set(this.#actor.name, state);
  }

  #reportStop(end: LifeEnd): void {
    if (end.how === "stopped" || end.how === "returned") return;
    const { log, events, escalate } = this.#rules;
    const error = errorOf(end);
    events.add(end.how);
    log.error({ actor: this.#actor.name, err: error }, "actor did not stop cleanly");
    if (isFatal(error)) escalate(error);
  }
}

/** A restart cures neither what says so itself nor a missing permission. */
function isFatal(error: Error): boolean {
  return error instanceof FatalError || isDenied(error);
}

function errorOf(end: LifeEnd): Error {
  switch (end.how) {
    case "failed":
      return end.error instanceof Error ? end.error : new Error(String(end.error));
    case "stalled":
      return new Error("Cannot see progress: no beat for too long");
    case "abandoned":
      return new Error("Cannot end a life of the actor: it does not heed the signal and may still run");
    default:
      return new Error("Cannot go on: the actor ended without being told to");
  }
}

/** How a life ends, or nothing if it does not in time. */
async function endWithin(run: Promise<LifeEnd>, deadlineMs: number): Promise<LifeEnd | undefined> {
  const timer = new AbortController();
  const late = delay(deadlineMs, undefined, { signal: timer.signal }).catch(() => undefined);
  try {
    return await Promise.race([run, late]);
  } finally {
    timer.abort();
  }
}
