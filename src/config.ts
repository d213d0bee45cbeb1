import type { z } from "zod";
import { VARIABLES, type Variable } from "./config/variables.ts";

export { VENUES, type Venue } from "./config/market_fields.ts";
export { Secret } from "./config/secret.ts";

type Settings = { readonly [K in keyof typeof VARIABLES]: z.output<(typeof VARIABLES)[K]["schema"]> };

/** All settings of a process, by what they mean; durations in ms, sizes in bytes. */
export type Config = Omit<Settings, "ownShards"> & {
  /** The shards that this process works on, ascending. */
  readonly ownShards: readonly number[];
  /** Whether these are the shards of this process alone, rather than divided among all. */
  readonly hasFixedShards: boolean;
};

/** The environment as it was given; only declared variables are read, so that a process needs no more than those. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment is wrong; the message has a line for every problem. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** One line each: variable, value, what is allowed. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** The names of all variables that {@link parseConfig} reads. */
export const CONFIG_VARIABLES: readonly string[] = Object.values(VARIABLES).map(({ name }) => name);

/**
 * Reads the settings. An empty variable counts as unset.
 *
 * @param names the variables to read; others keep their defaults
 * @throws {ConfigError} with every problem found, not only the first
 * @example
 * ```ts
 * parseConfig({ TICK_MAX_AGE: "2s" }).tickMaxAgeMs; // 2000
 * ```
 */
export function parseConfig(env: Environment, names: readonly string[] = CONFIG_VARIABLES): Config {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [setting, { name, schema, fallback }] of Object.entries<Variable<unknown>>(VARIABLES)) {
    const given = names.includes(name) ? env[name] : undefined;
    const result = schema.safeParse(given || fallback);
    if (result.success) values[setting] = result.data;
    else problems.push(...result.error.issues.map(({ message }) => `${name}: ${message}`));
  }
  if (problems.length > 0) throw new ConfigError(problems);
  const settings = values as Settings;
  const ownShards = settings.ownShards ?? Array.from({ length: settings.shards }, (_, shard) => shard);
  const config = { ...settings, ownShards, hasFixedShards: settings.ownShards !== undefined };
  problems.push(...contradictions(config));
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/** The table of all variables with defaults and meanings. */
export function describeVariables(): string {
  const rows = Object.values<Variable<unknown>>(VARIABLES);
  const width = Math.max(...rows.map(({ name }) => name.length));
  const lines = rows.map(({ name, fallback, meaning }) => {
    const ofDefault = fallback === undefined ? "" : ` [${shorten(fallback)}]`;
    return `  ${name.padEnd(width)}  ${meaning}${ofDefault}`;
  });
  return lines.join("\n");
}

/** What each variable allows, but not together. */
function contradictions(config: Config): string[] {
  const problems: string[] = [];
  const beyond = config.ownShards.filter((shard) => shard >= config.shards);
  if (beyond.length > 0) {
    problems.push(
      `SHARD: "${beyond.join(",")}" does not exist; allowed: 0 to ${config.shards - 1}, see SHARDS`,
    );
  }
  if ((config.natsUser === undefined) !== (config.natsPassword === undefined)) {
    problems.push("NATS_USER: is set without NATS_PASSWORD or the other way round; allowed: both or none");
  }
  if ((config.influxUsername === undefined) !== (config.influxPassword === undefined)) {
    problems.push(
      "INFLUX_USERNAME: is set without INFLUX_PASSWORD or the other way round; allowed: both or none",
    );
  }
  const logins = [config.natsUser, config.natsNkeySeedFile, config.natsCredsFile];
  if (logins.filter((login) => login !== undefined).length > 1) {
    problems.push(
      "NATS_USER: is not the only login; allowed: one of NATS_USER, NATS_NKEY_SEED_FILE, NATS_CREDS_FILE",
    );
  }
  return problems;
}

function shorten(fallback: string): string {
  return fallback.length > 40 ? `${fallback.slice(0, 38)}…` : fallback;
}
