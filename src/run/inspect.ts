import { overviewServices, overviewStreams } from "../bus/overview.ts";
import { openBus, type Setting } from "./setting.ts";

const CONNECT_DEADLINE_MS = 5_000;

/** `make inspect`: streams, consumers and the accounts of all actors, from any terminal. */
export async function runInspect(setting: Setting): Promise<void> {
  const signal = AbortSignal.any([setting.signal, AbortSignal.timeout(CONNECT_DEADLINE_MS)]);
  const { bus } = await openBus({ ...setting, signal }, "tickline-inspect");
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
      services.map(({ name, metadata, status }) => [
        `${name} ${Object.values(metadata).join(" ")}`,
        shorten(status),
      ]),
    );
  } finally {
    await bus.close();
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
