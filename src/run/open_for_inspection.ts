import type { Bus } from "../bus/connection.ts";
import { isRefusedLogin } from "../bus/refused_login.ts";
import type { Config } from "../config.ts";
import { watchErrors } from "../observe/log.ts";
import { CommandError } from "./command_error.ts";
import { openBus } from "./setting.ts";

const CONNECT_DEADLINE_MS = 5_000;

/**
 * Connects within a few seconds or not at all: somebody sits and waits for it.
 *
 * @throws {CommandError} that says what is wrong, and tells no secret
 */
export async function openForInspection(config: Config, signal: AbortSignal): Promise<Bus> {
  // Not AbortSignal.any: a timeout that only it refers to may be collected before it fires (nodejs/node issue 57736).
  const giveUp = new AbortController();
  const abort = () => giveUp.abort();
  const timer = setTimeout(abort, CONNECT_DEADLINE_MS);
  signal.addEventListener("abort", abort, { once: true });
  let isRefused = false;
  const log = watchErrors((error) => {
    if (!isRefusedLogin(error)) return;
    isRefused = true;
    abort();
  });
  try {
    return (await openBus({ config, log, signal: giveUp.signal }, "inspect")).bus;
  } catch (cause) {
    if (!giveUp.signal.aborted) throw cause;
    const servers = config.natsServers.join(",");
    const message = isRefused
      ? `NATS at ${servers} does not let ${loginOf(config)} in`
      : `no NATS server answers at ${servers} (NATS_URL)`;
    throw new CommandError(`Cannot inspect: ${message}`, { cause });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}

/** Whom the server knows this process as, and where that is configured; the user of its role is `inspect`. */
export function loginOf({ natsUser, natsNkeySeedFile, natsCredsFile }: Config): string {
  if (natsNkeySeedFile !== undefined) return `the user of NATS_NKEY_SEED_FILE "${natsNkeySeedFile}"`;
  if (natsCredsFile !== undefined) return `the user of NATS_CREDS_FILE "${natsCredsFile}"`;
  if (natsUser !== undefined) return `user "${natsUser}" (NATS_USER, NATS_PASSWORD)`;
  return "anybody without a login (NATS_USER, NATS_NKEY_SEED_FILE or NATS_CREDS_FILE)";
}
