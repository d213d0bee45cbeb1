import { provision } from "../store/provision.ts";
import { CommandError } from "./command_error.ts";
import { influxTarget, type Setting } from "./setting.ts";

const DEADLINE_MS = 15_000;

/**
 * `make provision`: the database and its retention policies, by an admin of InfluxDB, so that workers need a user that
 * may do no more than write.
 */
export async function runProvision({ config, log, signal }: Setting): Promise<void> {
  const target = influxTarget(config);
  const retention = { candlesMs: config.candleRetentionMs, ticksMs: config.tickRetentionMs };
  const giveUp = new AbortController();
  const abort = () => giveUp.abort();
  const timer = setTimeout(abort, DEADLINE_MS);
  signal.addEventListener("abort", abort, { once: true });
  let allowed: boolean;
  try {
    allowed = await provision(target, retention, { log, signal: giveUp.signal });
  } catch (cause) {
    if (!giveUp.signal.aborted) throw cause;
    if (signal.aborted) return;
    throw new CommandError(`Cannot set up InfluxDB at ${target.url} (INFLUX_URL)`, { cause });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
  if (!allowed) {
    const user = target.username ?? "";
    throw new CommandError(`Cannot set up InfluxDB: user "${user}" is not an admin of it (INFLUX_USERNAME)`);
  }
  process.stdout.write(`database "${target.database}" is set up at ${target.url}\n`);
}
