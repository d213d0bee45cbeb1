import type { Logger } from "../observe/log.ts";
import { Tally } from "../observe/tally.ts";
import { aborted } from "./aborted.ts";
import type { Actor, ActorState } from "./actor.ts";
import { Backoff } from "./backoff.ts";
import { SupervisedActor } from "./supervised_actor.ts";

export interface SuperviseOptions {
  /** Aborted when all actors shall stop. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** Counts `failed`, `returned`, `stalled` and `abandoned` lives, and `escalated`. @default a tally of its own */
  readonly events?: Tally;
  /** Says at any time how each actor is, by its name. @default a map of its own */
  readonly states?: Map<string, ActorState>;
  /**
   * Whether each actor starts when the one before is ready, and stops when all after it have ended; otherwise all
   * start and stop at once. @default true
   */
  readonly inOrder?: boolean;
  /** Longest wait after the first failure, ms. @default 250 */
  readonly minDelayMs?: number;
  /** Longest wait of all, ms. @default 30000 */
  readonly maxDelayMs?: number;
  /** Failures are forgiven once an actor lasted this long after it was ready, ms. @default 10000 */
  readonly stableMs?: number;
  /** Most failures of one actor within `failureWindowMs`; one more escalates. @default 10 */
  readonly maxFailures?: number;
  /** @default 60000 */
  readonly failureWindowMs?: number;
  /** How long one actor may take to end, ms; then it is given up and reported. @default 5000 */
  readonly stopDeadlineMs?: number;
  /** A number from 0 to 1. @default Math.random */
  readonly random?: () => number;
  /** Monotonic clock, ms. @default performance.now */
  readonly now?: () => number;
}

/**
 * Runs actors until the signal is aborted. An actor that throws, returns or falls silent is started afresh, alone,
 * after a back-off. What a restart cannot cure ends all of them: a {@link FatalError}, a missing permission, or too
 * many failures of one actor in a short time.
 *
 * @throws the cause of an escalation, once all actors have stopped
 * @example
 * ```ts
 * await supervise([kline, persist], { signal, log, events: new Tally() });
 * ```
 */
export async function supervise(actors: readonly Actor[], options: SuperviseOptions): Promise<void> {
  const {
    signal,
    log,
    inOrder = true,
    minDelayMs = 250,
    maxDelayMs = 30_000,
    random = Math.random,
  } = options;
  const rules = rulesOf(options);
  const escalation = new AbortController();
  const stop = AbortSignal.any([signal, escalation.signal]);
  const stopped = aborted(stop);
  const running: SupervisedActor[] = [];
  for (const { name } of actors) rules.states.set(name, "waiting");
  for (const actor of actors) {
    if (stop.aborted) break;
    log.debug({ actor: actor.name }, "actor starts");
    const supervised = new SupervisedActor(actor, {
      ...rules,
      backoff: new Backoff({ minMs: minDelayMs, maxMs: maxDelayMs, random }),
      escalate: (cause) => escalation.abort(cause),
    });
    running.push(supervised);
    if (inOrder) await Promise.race([supervised.ready, stopped]);
  }
  await stopped;
  if (inOrder) for (const supervised of running.toReversed()) await supervised.stop();
  else await Promise.all(running.map((supervised) => supervised.stop()));
  if (escalation.signal.aborted) throw escalation.signal.reason;
}

function rulesOf(options: SuperviseOptions) {
  const { stableMs = 10_000, maxFailures = 10, failureWindowMs = 60_000, stopDeadlineMs = 5_000 } = options;
  const { now = () => performance.now(), log, events = new Tally(), states = new Map() } = options;
  return { stableMs, maxFailures, failureWindowMs, stopDeadlineMs, now, log, events, states };
}
