import { hostOf } from "../actor/host_of.ts";
import { CONFIG_VARIABLES, type Config } from "../config.ts";
import { venueUrls } from "./ingest_role.ts";
import { natsHosts } from "./setting.ts";

/** What a process may touch, as Deno grants it. */
export interface ProcessPermissions {
  readonly net: readonly string[];
  readonly env: readonly string[];
  readonly read: readonly string[];
  readonly sys: readonly string[];
}

type Service = "nats" | "influx";

/** The variables with which one logs in. */
const LOGINS: Readonly<Record<Service, readonly string[]>> = {
  nats: ["NATS_USER", "NATS_PASSWORD", "NATS_NKEY_SEED_FILE", "NATS_CREDS_FILE", "NATS_CA_FILE"],
  influx: ["INFLUX_USERNAME", "INFLUX_PASSWORD"],
};

/** Where a command logs in; one that is not here, anywhere. */
const SERVICES: Readonly<Record<string, readonly Service[]>> = {
  run: [],
  "run-ingest": ["nats"],
  inspect: ["nats"],
  provision: ["influx"],
  servers: [],
  record: [],
  replay: [],
};

/** What libraries read when they are loaded: `ws`, and those of the log. */
const LIBRARY_VARIABLES = ["WS_NO_BUFFER_UTIL", "WS_NO_UTF_8_VALIDATE", "NODE_V8_COVERAGE", "TERM", "CI"];
const LIBRARY_FACTS = ["hostname"];

/**
 * The variables that a command reads: no process reads a secret that it has no use for.
 *
 * @param actors what `ACTORS` says
 */
export function variablesOf(command: string, actors: string | undefined): string[] {
  const services = servicesOf(command, actors);
  const unused = (["nats", "influx"] as const).filter((service) => !services.includes(service));
  const withheld = unused.flatMap((service) => LOGINS[service]);
  return CONFIG_VARIABLES.filter((name) => !withheld.includes(name));
}

/** What the process of a command with actors touches, as configured, and nothing else. */
export function permissionsOf(command: string, config: Config): ProcessPermissions {
  const services = servicesOf(command, config.actors.join());
  const files = [config.natsNkeySeedFile, config.natsCredsFile, config.natsCaFile];
  const { httpHost, metricsPort } = config;
  return {
    net: [
      ...(services.includes("nats") ? natsHosts(config) : []),
      ...(services.includes("influx") ? [hostOf(config.influxUrl)] : []),
      ...(command === "run-ingest" ? venueHosts(config) : []),
      ...(metricsPort === 0 ? [] : [`${httpHost}:${metricsPort}`]),
    ],
    env: [...variablesOf(command, config.actors.join()), ...LIBRARY_VARIABLES],
    read: services.includes("nats") ? files.filter((file) => file !== undefined) : [],
    sys: LIBRARY_FACTS,
  };
}

/** Permissions as arguments of `deno run`; no prompt asks for more. */
export function denoArguments({ net, env, read, sys }: ProcessPermissions): string[] {
  const granted = Object.entries({ net, env, read, sys }).filter(([, values]) => values.length > 0);
  return ["--no-prompt", ...granted.map(([kind, values]) => `--allow-${kind}=${values.join()}`)];
}

function servicesOf(command: string, actors = "persist"): readonly Service[] {
  if (command === "run-workers") return actors.includes("persist") ? ["nats", "influx"] : ["nats"];
  return SERVICES[command] ?? ["nats", "influx"];
}

/** A simulated market of the process's own is on a port of loopback that is not known before. */
function venueHosts(config: Config): string[] {
  const urls = venueUrls(config);
  const venues = new Set(config.markets.map(({ venue }) => venue));
  return [...venues].map((venue) => (urls[venue] === undefined ? "127.0.0.1" : hostOf(urls[venue])));
}
