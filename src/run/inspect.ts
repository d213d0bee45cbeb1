import type { Bus } from "../bus/connection.ts";
import { overviewStreams, type StreamOverview } from "../bus/overview.ts";
import { isRefusedRequest } from "../bus/refused_login.ts";
import { CommandError } from "./command_error.ts";
import { gatherSheet, type SystemAccounts } from "./gather_sheet.ts";
import { loginOf, openForInspection } from "./open_for_inspection.ts";
import type { RoleAccounts } from "./role_accounts.ts";
import type { Setting } from "./setting.ts";
import { sheetText } from "./sheet_text.ts";
import { textTable } from "./text_table.ts";

/** Where the name of a consumer tells whose it is. */
const READER_NAME = /^((?:kline|persist-ticks)-\d+|persist-candles)-\w{8}$/;

/** `make inspect`: streams, consumers and the balance of all processes, from any terminal. */
export async function runInspect({ config, signal }: Setting): Promise<void> {
  const bus = await openForInspection(config, signal);
  try {
    process.stdout.write(`${await inspectionText(bus)}\n`);
  } catch (cause) {
    if (!isRefusedRequest(cause)) throw cause;
    throw new CommandError(
      `Cannot inspect: NATS does not let ${loginOf(config)} ask for streams and accounts, as user "inspect" of deploy/nats.conf may`,
      { cause },
    );
  } finally {
    await bus.close();
  }
}

async function inspectionText(bus: Bus): Promise<string> {
  // Streams first: who reads by then is asked after it.
  const streams = await overviewStreams(bus);
  const accounts = await gatherSheet(bus);
  const { roles, sheet } = accounts;
  const missing = unanswered(streams, accounts);
  return [
    streamTable(streams),
    consumerTable(streams),
    ...(roles.length > 0 ? [processTable(roles)] : []),
    ...(missing.length > 0 ? [missing.join("\n")] : []),
    sheetText(sheet),
  ].join("\n\n");
}

function streamTable(streams: readonly StreamOverview[]): string {
  return textTable(
    ["stream", "messages", "bytes", "last seq", "oldest"],
    streams.map(({ name, messages, bytes, lastSeq, oldestMs }) => [
      name,
      String(messages),
      String(bytes),
      String(lastSeq),
      oldestMs === undefined ? "-" : `${(oldestMs / 1_000).toFixed(1)} s`,
    ]),
  );
}

function consumerTable(streams: readonly StreamOverview[]): string {
  const rows = streams.flatMap(({ name: stream, consumers }) =>
    consumers.map(({ name, filter, pending }) => [name, stream, filter, String(pending)]),
  );
  return textTable(
    ["consumer", "stream", "filter", "to read"],
    rows.toSorted(([a], [b]) => a!.localeCompare(b!, "en", { numeric: true })),
  );
}

function processTable(roles: readonly RoleAccounts[]): string {
  return textTable(
    ["process", "role", "actors", "lag p50", "lag p99"],
    roles.map(({ pid, role, running, lag }) => [
      String(pid),
      role,
      shorten(running),
      lag === undefined ? "-" : `${lag.p50Ms.toFixed(2)} ms`,
      lag === undefined ? "-" : `${lag.p99Ms.toFixed(2)} ms`,
    ]),
  );
}

/** `kline-0, kline-1, kline-2` as `kline-0,1,2`; `none` for a process that stands by. */
function shorten(actors: readonly string[]): string {
  const shards = new Map<string, string[]>();
  for (const actor of actors) {
    const [, kind = actor, shard] = /^(.*)-(\d+)$/.exec(actor) ?? [];
    shards.set(kind, [...(shards.get(kind) ?? []), ...(shard === undefined ? [] : [shard])]);
  }
  if (shards.size === 0) return "none";
  return [...shards].map(([kind, own]) => (own.length === 0 ? kind : `${kind}-${own.join()}`)).join(" ");
}

/** Who did not answer, and whose consumer is there though nobody says that it is his. */
function unanswered(streams: readonly StreamOverview[], { roles, silent }: SystemAccounts): string[] {
  const running = new Set(roles.flatMap((role) => role.running));
  const readers = streams.flatMap(({ consumers }) =>
    consumers.flatMap(({ name }) => READER_NAME.exec(name)?.[1] ?? []),
  );
  const unclaimed = [...new Set(readers)].filter((actor) => !running.has(actor)).sort();
  return [
    ...silent.map((who) => `no answer from ${who}: its counts are missing below`),
    ...unclaimed.map(
      (actor) => `no answer from ${actor}, which has a consumer: killed, or not to be reached`,
    ),
  ];
}
