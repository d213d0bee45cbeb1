import type { Actor, Permissions } from "../actor/actor.ts";
import type { SuperviseOptions } from "../actor/supervisor.ts";
import type { Bus } from "../bus/connection.ts";
import type { Lease } from "../lease/lease.ts";
import { LeasedActors } from "../lease/leased_actors.ts";
import { WorkerGroup } from "../lease/worker_group.ts";
import type { Setting } from "./setting.ts";

/** How the actors of a role are supervised. */
export type Supervision = Omit<SuperviseOptions, "signal">;

/** What makes the actor that does a piece of work, by the name of the piece. */
export type Pieces = ReadonlyMap<string, (lease: Lease) => Actor>;

export interface DivideOptions {
  /** Name of the actor that runs the others. */
  readonly name: string;
  readonly pieces: Pieces;
  readonly permissions: Permissions;
}

/** Makes the actor that runs this process's share of some pieces of work, which all processes divide among themselves. */
export function divideAmongAll(
  bus: Bus,
  { log, ownsBroker = false }: Setting,
  { name, pieces, permissions }: DivideOptions,
): (supervision: Supervision) => readonly Actor[] {
  const group = new WorkerGroup(bus, { pieces: [...pieces.keys()], log, newBroker: ownsBroker });
  return (supervision) => [
    new LeasedActors({
      name,
      group,
      permissions,
      create: (lease) => pieces.get(lease.piece)!(lease),
      supervision,
    }),
  ];
}
