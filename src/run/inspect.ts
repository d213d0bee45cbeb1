import type { Bus } from "../bus/connection.ts";
import { overviewServices, overviewStreams } from "../bus/overview.ts";
import type { Config } from "../config.ts";
import { createLog } from "../observe/log.ts";
import { CommandError } from "./command_error.ts";
import { openBus, type Setting } from "./setting.ts";

const CONNECT_DEADLINE_MS = 5_000;

/** `make inspect`: streams, consumers and the accounts of all actors, from any terminal. */
export async function runInspect({ config, signal }: Setting): Promise<void> {
  const bus = await openForInspection(config, signal);
  try {
    const streams = await overviewStreams(bus);
    print(
      ["stream", "messages", "bytes", "last seq", "oldest"],
      streams.map(({ name, messages, bytes, lastSeq, oldestMs }) => [
        name,
        String(messages),
        String(bytes),
        String(lastSeq),
        oldestMs === undefined ? "-" : `${(oldestMs / 1_000).toFixed(1)} s`,
      ]),
    );
    print(
      ["consumer", "stream", "filter", "to read"],
      streams.flatMap(({ name: stream, consumers }) =>
        consumers.map(({ name, filter, pending }) => [name, stream, filter, String(pending)]),
      ),
    );
    const services = await overviewServices(bus);
    print(
      ["actor", "what it counted"],
      services
        .map(({ name, metadata, status }) => [
          `${name} ${Object.values(metadata).join(" ")}`,
          shorten(status),
        ])
        .toSorted(([a], [b]) => a!.localeCompare(b!, "en", { numeric: true })),
    );
  } finally {
    await bus.close();
  }
}

/** Connects within a few seconds or not at all: somebody sits and waits for it. */
async function openForInspection(config: Config, signal: AbortSignal): Promise<Bus> {
  // Not AbortSignal.any: a timeout that only it refers to may be collected before it fires (nodejs/node issue 57736).
  const giveUp = new AbortController();
  const abort = () => giveUp.abort();
  const timer = setTimeout(abort, CONNECT_DEADLINE_MS);
  signal.addEventListener("abort", abort, { once: true });
  try {
    const setting = { config, log: createLog("silent"), signal: giveUp.signal };
    return (await openBus(setting, "inspect")).bus;
  } catch (cause) {
    if (!giveUp.signal.aborted) throw cause;
    const servers = config.natsServers.join(",");
    throw new CommandError(`Cannot inspect: no NATS server answers at ${servers} (NATS_URL)`, { cause });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}

/** An account without what is nought. */
function shorten(status: unknown): string {
  if (typeof status !== "object" || status === null) return "no answer";
  const parts: string[] = [];
  for (const [name, value] of Object.entries(status)) {
    if (typeof value === "object" && value !== null) {
      for (const [cause, count] of Object.entries(value)) parts.push(`${name}.${cause} ${count}`);
    } else if (value !== 0 && value !== "") {
      parts.push(`${name} ${typeof value === "number" ? Number(value.toFixed(2)) : value}`);
    }
  }
  return parts.join(", ");
}

function print(header: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]!.length)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(column === cells.length - 1 ? 0 : widths[column]!))
      .join("  ")
      .trimEnd();
  process.stdout.write(`${[header, ...rows].map(line).join("\n")}\n\n`);
}
