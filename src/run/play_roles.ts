import { openIngest, type VenueUrls } from "./ingest_role.ts";
import { openKline } from "./kline_role.ts";
import { Observation } from "./observation.ts";
import { openPersist } from "./persist_role.ts";
import { serveObservation } from "./serve_observation.ts";
import type { Setting } from "./setting.ts";
import { type Roles, runRoles } from "./stages.ts";
import { StatusView } from "./status_view.ts";

/** What a process shall do. */
export interface Parts {
  /** Where the venues to ingest are; absent: none. */
  readonly ingest?: VenueUrls;
  readonly kline: boolean;
  readonly persist: boolean;
}

/** Opens roles and runs their actors until the signal is aborted, which may be before all are open. */
export async function playRoles(setting: Setting, parts: Parts): Promise<void> {
  const { config, log, signal } = setting;
  const observation = new Observation(signal);
  const server = await serveObservation(observation, config);
  try {
    const roles = await openRoles(setting, parts);
    if (roles === undefined) return;
    observation.roles = roles;
    const view = new StatusView(roles, observation.lags);
    try {
      await runRoles(roles, log, signal, observation);
    } finally {
      view.end();
    }
  } finally {
    await server?.stop();
  }
}

/** Opens the roles, or none if the signal is aborted before all are open. */
async function openRoles(setting: Setting, parts: Parts): Promise<Roles | undefined> {
  const roles: { -readonly [Role in keyof Roles]: Roles[Role] } = {};
  try {
    // Against the direction of the data, so that whatever is published finds its readers.
    if (parts.persist) roles.persist = await openPersist(setting);
    if (parts.kline) roles.kline = await openKline(setting);
    if (parts.ingest !== undefined) roles.ingest = await openIngest(setting, parts.ingest);
  } catch (error) {
    await Promise.all([roles.ingest?.close(), roles.kline?.close(), roles.persist?.close()]);
    // Told to stop before everything was up: nothing is wrong.
    if (setting.signal.aborted) return undefined;
    throw error;
  }
  return roles;
}
