import { type Account, type Lines, unexplainedIn } from "../observe/account.ts";
import type { Sheet } from "./sheet.ts";
import { textTable } from "./text_table.ts";

/** What each stage is, for somebody who sees it for the first time. */
const STAGES: Readonly<Record<string, string>> = {
  ingest: "what the venues sent",
  publish: "accepted trades on their way into the stream TICKS",
  to_kline: "ticks of the publishers that run now, on their way to each kline actor",
  kline: "ticks that kline read",
  candles: "candles on their way into the stream CANDLES",
  persist_candles: "candles that were read to be stored",
  to_persist_ticks: "ticks of the publishers that run now, on their way to each actor that stores them",
  persist_ticks: "ticks that were read to be stored",
};

/** What a line says where its name alone does not. */
const MEANINGS: Readonly<Record<string, string>> = {
  duplicate: "came before",
  held: "waiting for another trade to confirm time or number",
  rejected: "unreadable, or impossible",
  kept: "in case the ingest that publishes dies",
  passed: "published by another ingest",
  under_way: "NATS has not answered yet",
  collected: "about to be sent",
  unconfirmed: "sent, and perhaps in the stream: who reads knows",
  dropped: "not taken by NATS",
  before_reader: "numbered before the reader began",
  lost: "shed by NATS, or never there",
  to_read: "still in the stream, or dropped since",
  late: "in candles that were closed already",
  too_late: "older than LATENESS",
  resumed: "in candles of the snapshot already",
  skipped: "older than TICK_MAX_LAG",
  repeated: "in messages that came again",
  bad_name: "InfluxDB cannot name them",
  pending: "not stored yet",
  superseded: "older than a revision that came first",
  fenced: "published by a past owner of the shard",
  elsewhere: "of shards that another process stores",
  unreadable: "not a candle",
  beyond_retention: "older than InfluxDB keeps",
  poison: "refused by InfluxDB",
  left: "to the process that took over",
};

/** A sheet as people read it: where everything is that came in, stage by stage, and what does not add up. */
export function sheetText({ stages, losses, imbalances, unexplained }: Sheet): string {
  const rowsOf = stages.map(rowsOfStage);
  const widths = [0, 1].map((column) => Math.max(0, ...rowsOf.flat().map((row) => row[column]!.length)));
  const sections = stages.map(({ stage, unit, beside }, index) => {
    const title = `${stage}: ${STAGES[stage] ?? stage}, in ${unit}`;
    const rows = rowsOf[index]!.map(([name, count, meaning]) =>
      `${name!.padEnd(widths[0]!)}  ${count!.padStart(widths[1]!)}  ${meaning}`.trimEnd(),
    );
    return [title, ...rows, ...besideOf(beside)].join("\n");
  });
  if (losses.length > 0) {
    const rows = losses.map(({ shard, stage, lines }) => [String(shard), stage, listOf(lines)]);
    sections.push(textTable(["shard", "stage", "shed and lost"], rows));
  }
  const wrong = imbalances.map(
    ({ where, unit, unexplained: count }) =>
      `\n  ${where}: ${whole(Math.abs(count))} ${unit} ${count > 0 ? "came and are nowhere" : "more than came"}`,
  );
  return [...sections, `unexplained ${whole(unexplained)}${wrong.join("")}`].join("\n\n");
}

/** Name, count and meaning of each line. */
function rowsOfStage(account: Account): string[][] {
  return [
    ...Object.entries(account.came).map((line) => rowOf("  ", line)),
    ...Object.entries(account.became).map((line) => rowOf("    ", line)),
    ["    unexplained", whole(unexplainedIn(account)), ""],
  ];
}

function rowOf(indent: string, [line, count]: readonly [string, number]): string[] {
  const [name = ""] = line.split(":", 1);
  return [`${indent}${line}`, whole(count), MEANINGS[name] ?? ""];
}

function besideOf(beside: Lines): string[] {
  return Object.keys(beside).length === 0 ? [] : [`  beside that: ${listOf(beside)}`];
}

/** `dropped:timeout 12, lost 3`. */
function listOf(lines: Lines): string {
  return Object.entries(lines)
    .map(([line, count]) => `${line} ${whole(count)}`)
    .join(", ");
}

function whole(value: number): string {
  return value.toLocaleString("en-US");
}
