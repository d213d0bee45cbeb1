import { createReadStream } from "node:fs";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";

/** One event of a recording. */
export interface RecordedEvent {
  /** When the recorder received it, ms, with fractions. */
  readonly receivedMs: number;
  /** `btcusdt@trade`. */
  readonly stream: string;
  /** The event as the exchange sent it, JSON text. */
  readonly event: string;
}

const NS_PER_MS = 1e6;
const LINE_END = /\r?\n/;

/**
 * Events of recordings, merged in the order of receipt. Each file is one of: lines of `<receive time, ns> <combined
 * frame>`; `;`-separated rows of trades, in any order; or JSON lines of a recorded conversation, ours or
 * cryptofeed's. Files may be gzip-compressed.
 *
 * @throws {SyntaxError} on a line that is none of these, with file and line number
 * @throws {Error} if a file cannot be read or decompressed, with its path
 */
export async function* readRecordings(paths: readonly string[]): AsyncGenerator<RecordedEvent> {
  const sources = paths.map((path) => readRecording(path));
  try {
    const heads = await Promise.all(sources.map((source) => source.next()));
    for (;;) {
      let earliest = -1;
      for (const [index, head] of heads.entries()) {
        if (head.done) continue;
        const best = heads[earliest];
        if (best === undefined || best.done || head.value.receivedMs < best.value.receivedMs)
          earliest = index;
      }
      const head = heads[earliest];
      if (head === undefined || head.done) return;
      yield head.value;
      heads[earliest] = await sources[earliest]!.next();
    }
  } finally {
    for (const source of sources) await source.return(undefined);
  }
}

async function* readRecording(path: string): AsyncGenerator<RecordedEvent> {
  let number = 0;
  const rows: TradeRow[] = [];
  for await (const line of linesOf(path)) {
    number++;
    try {
      if (line.startsWith("{")) {
        const event = parseConversationLine(line);
        if (event !== undefined) yield event;
      } else if (/^\d+ \{/.test(line)) {
        const event = parseStampedFrame(line);
        if (event !== undefined) yield event;
      } else if (line !== "") {
        rows.push(parseTradeRow(line));
      }
    } catch (cause) {
      throw new SyntaxError(`Cannot read ${path}:${number}: ${(cause as Error).message}`, { cause });
    }
  }
  // Rows come in no order; the exchange numbered the trades in the order in which it sent them.
  rows.sort((a, b) => a.id - b.id);
  for (const row of rows) yield row.recorded;
}

/** Lines of a file. (What `readline` makes of a stream does not fail with it.) */
async function* linesOf(path: string): AsyncGenerator<string> {
  const file = createReadStream(path);
  // A failure of either stream comes out of the loop below.
  const input = path.endsWith(".gz") ? pipeline(file, createGunzip(), () => undefined) : file;
  let rest = "";
  try {
    for await (const chunk of input.setEncoding("utf8")) {
      const lines = (rest + chunk).split(LINE_END);
      rest = lines.pop()!;
      yield* lines;
    }
  } catch (cause) {
    throw new Error(`Cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  if (rest !== "") yield rest;
}

/** A frame with its time. Recorders put answers to requests among the frames; those are nobody's subscription. */
function parseStampedFrame(line: string): RecordedEvent | undefined {
  const space = line.indexOf(" ");
  if (!line.startsWith('{"stream":', space + 1)) return undefined;
  return {
    receivedMs: Number(line.slice(0, space)) / NS_PER_MS,
    ...parseCombinedFrame(line.slice(space + 1)),
  };
}

/** Takes the event out of `{"stream":"…","data":…}` as the text that it is, without parsing it. */
function parseCombinedFrame(frame: string): { stream: string; event: string } {
  const match = /^\{"stream":"([^"]+)","data":/.exec(frame);
  if (match === null || !frame.endsWith("}")) {
    throw new SyntaxError(`"${frame.slice(0, 80)}" is no combined frame`);
  }
  return { stream: match[1]!, event: frame.slice(match[0].length, -1) };
}

interface TradeRow {
  readonly id: number;
  readonly recorded: RecordedEvent;
}

function parseTradeRow(line: string): TradeRow {
  const [, kind, eventMs, symbol, id, price, quantity, , , tradeMs, maker] = line.split(";");
  if (kind !== "trade" || maker === undefined || !Number.isSafeInteger(Number(id))) {
    throw new SyntaxError(`"${line.slice(0, 80)}" is no row of a trade`);
  }
  const event =
    `{"e":"trade","E":${eventMs},"s":"${symbol}","t":${id},"p":"${price}","q":"${quantity}"` +
    `,"T":${tradeMs},"m":${maker === "t"},"M":true}`;
  const stream = `${symbol!.toLowerCase()}@trade`;
  return { id: Number(id), recorded: { receivedMs: Number(eventMs), stream, event } };
}

/** A line of a recorded conversation: only what was received counts, and of that only combined frames. */
function parseConversationLine(line: string): RecordedEvent | undefined {
  const { t, ts, data } = JSON.parse(line) as { t?: unknown; ts?: unknown; data?: unknown };
  if (typeof t !== "string")
    throw new SyntaxError(`field "t" is ${JSON.stringify(t)}, expected a kind of line`);
  if (t !== "recv" || typeof data !== "string" || !data.startsWith('{"stream":')) return undefined;
  // Our own recorder writes nanoseconds as text, cryptofeed's writes seconds as a number.
  const receivedMs = typeof ts === "string" ? Number(ts) / NS_PER_MS : Number(ts) * 1_000;
  if (!Number.isFinite(receivedMs))
    throw new SyntaxError(`field "ts" is ${JSON.stringify(ts)}, expected a time`);
  return { receivedMs, ...parseCombinedFrame(data) };
}
