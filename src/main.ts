import { FatalError } from "./actor/actor.ts";
import { type Config, ConfigError, describeVariables, parseConfig } from "./config.ts";
import { createLog } from "./observe/log.ts";
import { CommandError } from "./run/command_error.ts";
import { runInspect } from "./run/inspect.ts";
import { denoArguments, permissionsOf, variablesOf } from "./run/permissions.ts";
import { runProvision } from "./run/provision_store.ts";
import { runRecord } from "./run/record.ts";
import { runReplay } from "./run/replay_file.ts";
import { runAll } from "./run/run_all.ts";
import { runIngest, runServers, runWorkers } from "./run/run_parts.ts";
import type { Setting } from "./run/setting.ts";

/** Exit code for a command or configuration that is wrong; 1 is for what goes wrong later. */
const WRONG_USE = 2;
/** By then a process has ended of itself; longer lives only what a library left open. */
const EXIT_DEADLINE_MS = 1_000;

const COMMANDS: Readonly<Record<string, (setting: Setting) => Promise<void>>> = {
  run: runAll,
  "run-ingest": runIngest,
  "run-workers": runWorkers,
  servers: runServers,
  inspect: runInspect,
  provision: runProvision,
  record: runRecord,
  replay: runReplay,
};

/**
 * Runs one command; the exit code. `permissions` does not run the command that follows it, but says with which
 * arguments Deno does so under no more permissions than it needs.
 */
async function main([command, ...rest]: readonly string[]): Promise<number> {
  if (command === "help") {
    process.stdout.write(`Environment variables:\n${describeVariables()}\n`);
    return 0;
  }
  const name = (command === "permissions" ? rest[0] : command) ?? "";
  const run = COMMANDS[name];
  if (run === undefined) {
    process.stderr.write(`Cannot run "${name}": expected one of ${Object.keys(COMMANDS).join(", ")}\n`);
    return WRONG_USE;
  }
  try {
    const config = parseConfig(process.env, variablesOf(name, process.env.ACTORS));
    if (command === "permissions") {
      process.stdout.write(`${denoArguments(permissionsOf(name, config)).join("\n")}\n`);
      return 0;
    }
    return await runCommand(run, config);
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof CommandError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return error instanceof ConfigError ? WRONG_USE : 1;
  }
}

/** Runs one command until it is done, DURATION is over or a signal comes; the exit code. */
async function runCommand(run: (setting: Setting) => Promise<void>, config: Config): Promise<number> {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort());
  if (config.durationMs > 0) setTimeout(() => stop.abort(), config.durationMs).unref();
  const log = createLog(config.logLevel);
  try {
    await run({ config, log, signal: stop.signal });
    return 0;
  } catch (error) {
    if (error instanceof ConfigError || error instanceof CommandError) throw error;
    log.fatal({ err: error }, error instanceof FatalError ? "stopped for good" : "failed");
    return 1;
  }
}

process.exitCode = await main(process.argv.slice(2));
// The NATS client forgets the socket of a connection attempt that was never answered (nats 2.29, `node_transport`).
setTimeout(() => process.exit(), EXIT_DEADLINE_MS).unref();
