/**
 * What an actor may touch, as Deno grants it: hosts with ports, environment variables, host facts. Anything that
 * an actor does not list, it must not use.
 */
export interface Permissions {
  /** `host:port` of every server that the actor talks to. */
  readonly net: readonly string[];
  /** Environment variables that the actor or its libraries read. */
  readonly env: readonly string[];
}

/** What the supervisor hands to a running actor. */
export interface ActorContext {
  /** Aborted when the actor shall stop: finish what is in hand and return. */
  readonly signal: AbortSignal;
  /** Says that the actor works: its dependents may start, and its back-off is reset once it has lasted. */
  ready(): void;
  /** Says that the actor makes progress; silence for longer than its `stallMs` is a failure. */
  beat(): void;
}

/**
 * One job with its own state. `run` returns when the signal is aborted; throwing means "start me afresh";
 * throwing a {@link FatalError} means that a restart cannot help.
 */
export interface Actor {
  /** Metrics label and log field, `kline-3`. */
  readonly name: string;
  readonly permissions: Permissions;
  /** Longest silence between two beats, ms; absent: the actor does not beat. */
  readonly stallMs?: number;
  run(context: ActorContext): Promise<void>;
}

/**
 * How an actor is: `waiting` for the one before it, `starting`, `ready`, `failed` and about to start afresh,
 * `escalated` because that would not help, or `stopped`.
 */
export type ActorState = "waiting" | "starting" | "ready" | "failed" | "escalated" | "stopped";

/** A failure that a restart cannot cure; it ends the process with exit code 1. */
export class FatalError extends Error {
  override readonly name: string = "FatalError";
}
