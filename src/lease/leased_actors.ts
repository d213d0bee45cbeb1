import type { Actor, ActorContext, Permissions } from "../actor/actor.ts";
import { type SuperviseOptions, supervise } from "../actor/supervisor.ts";
import type { Lease } from "./lease.ts";
import type { WorkerGroup } from "./worker_group.ts";

export interface LeasedActorsOptions {
  /** @default "leases" */
  readonly name?: string;
  readonly group: WorkerGroup;
  /** Those of the group's bus, and of every actor that it runs. */
  readonly permissions: Permissions;
  /** Makes the actor that does a piece; called for each lease of it. */
  readonly create: (lease: Lease) => Actor;
  /** How the actors are supervised. Of their states, only those of pieces that are held are there. */
  readonly supervision: Omit<SuperviseOptions, "signal">;
}

/**
 * An actor that runs other actors: for each piece that this worker holds one, supervised, for as long as the lease
 * lasts. Such an actor asks `lease.isHeld()` before it publishes; when its signal is aborted it finishes what it has in
 * hand, while it still holds the piece.
 */
export class LeasedActors implements Actor {
  readonly name: string;
  readonly permissions: Permissions;
  readonly #options: LeasedActorsOptions;

  constructor(options: LeasedActorsOptions) {
    this.name = options.name ?? "leases";
    this.permissions = options.permissions;
    this.#options = options;
  }

  async run({ signal, ready }: ActorContext): Promise<void> {
    const { group } = this.#options;
    ready();
    await group.run(signal, (lease) => this.#runActor(lease));
  }

  async #runActor(lease: Lease): Promise<void> {
    const { create, supervision } = this.#options;
    const actor = create(lease);
    try {
      await supervise([actor], { ...supervision, signal: lease.signal });
    } finally {
      // One that could not be kept running stays visible: it is why the process ends.
      if (supervision.states?.get(actor.name) === "stopped") supervision.states.delete(actor.name);
    }
  }
}
