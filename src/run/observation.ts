import type { ActorState } from "../actor/actor.ts";
import type { Bus } from "../bus/connection.ts";
import { Tally } from "../observe/tally.ts";
import { LagMeter } from "./lag_meter.ts";
import type { Roles } from "./stages.ts";

/** What a process knows about itself, from its very beginning: one that waits for a server lives too. */
export class Observation {
  /** What happened to actors, see `SuperviseOptions`. */
  readonly events = new Tally();
  readonly states = new Map<string, ActorState>();
  readonly lags = new LagMeter();
  /** Absent until they are open. */
  roles: Roles | undefined;
  readonly #signal: AbortSignal;

  /** @param signal aborted when the process shall stop */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** Why the process should be started afresh; empty if it lives. */
  ailments(): string[] {
    return this.#actors((state) => state === "escalated");
  }

  /** What keeps the process from doing its job; empty if it does. */
  obstacles(): string[] {
    if (this.#signal.aborted) return ["the process is stopping"];
    if (this.roles === undefined) return ["the process is starting and waits for NATS or InfluxDB"];
    const disconnected = busesOf(this.roles).filter(([, { connected }]) => !connected);
    return [
      ...this.#actors((state) => state !== "ready"),
      ...disconnected.map(([role]) => `NATS is not connected, for ${role}`),
      ...lanesOf(this.roles).flatMap(([lane, { obstacle }]) =>
        obstacle === undefined ? [] : [`InfluxDB does not take ${lane}: ${obstacle}`],
      ),
    ];
  }

  #actors(condition: (state: ActorState) => boolean): string[] {
    const actors = [...this.states].filter(([, state]) => condition(state));
    return actors.map(([name, state]) => `actor "${name}" is ${state}`);
  }
}

/** The connections of a process to NATS, by role. */
export function busesOf(roles: Roles): (readonly [role: string, Bus])[] {
  const played = Object.entries(roles).filter(([, role]) => role !== undefined);
  return played.map(([name, role]) => [name, role.bus]);
}

/** The ways of a process to InfluxDB, by what they store. */
export function lanesOf({ persist }: Roles) {
  if (persist === undefined) return [];
  return [["candles", persist.candleLane] as const, ["ticks", persist.tickLane] as const];
}
