import { type Config, ConfigError } from "../config.ts";
import { type HealthServer, startHealthServer } from "../observe/health_server.ts";
import type { Observation } from "./observation.ts";
import { addProcessMetrics, addRoleMetrics } from "./process_metrics.ts";
import type { Roles } from "./stages.ts";

/**
 * Shows a process on `METRICS_PORT`, unless that is 0.
 *
 * @throws {ConfigError} if it cannot listen there
 */
export async function serveObservation(
  observation: Observation,
  { httpHost: host, metricsPort: port }: Config,
): Promise<HealthServer | undefined> {
  if (port === 0) return undefined;
  // The package behind it takes 11 MB: only who wants it pays.
  const { Metrics } = await import("../observe/metrics.ts");
  const metrics = new Metrics();
  addProcessMetrics(metrics, observation);
  let roles: Roles | undefined;
  const source = {
    ailments: () => observation.ailments(),
    obstacles: () => observation.obstacles(),
    metrics: () => {
      if (roles === undefined && observation.roles !== undefined) {
        roles = observation.roles;
        addRoleMetrics(metrics, observation, roles);
      }
      return metrics.text();
    },
  };
  try {
    return await startHealthServer(source, { host, port });
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? error.code : error;
    throw new ConfigError([
      `METRICS_PORT: "${port}" cannot be opened at HTTP_HOST "${host}" (${reason}); allowed: a free port, or 0 for none`,
    ]);
  }
}
