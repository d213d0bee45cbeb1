import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import { type RecordedEvent, readRecordings } from "../../src/simulator/recording.ts";
import { eventually } from "../bus/harness.ts";
import { recordings } from "../pipeline/harness.ts";

const home = await mkdtemp(join(tmpdir(), "tickline-recording-test-"));
after(() => rm(home, { recursive: true, force: true }));
let files = 0;

function save(content: string | Buffer, ending = ""): string {
  const path = join(home, `${files++}${ending}`);
  writeFileSync(path, content);
  return path;
}

async function readAll(...paths: string[]): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const event of readRecordings(paths)) events.push(event);
  return events;
}

const trade = (id: number) => `{"e":"trade","t":${id}}`;
const combined = (id: number) => `{"stream":"btcusdt@trade","data":${trade(id)}}`;
const event = (receivedMs: number, id: number) => ({ receivedMs, stream: "btcusdt@trade", event: trade(id) });

test("readRecordings() reads stamped frames and passes over answers to requests", async () => {
  const text = [
    `1723161255123000000 ${combined(1)}`,
    '1723161255124000000 {"result":null,"id":1}',
    `1723161255125500000 ${combined(2)}`,
  ].join("\n");
  const expected = [event(1_723_161_255_123, 1), event(1_723_161_255_125.5, 2)];
  assert.deepEqual(await readAll(save(text)), expected);
  assert.deepEqual(await readAll(save(`${text}\n`)), expected);
  assert.deepEqual(await readAll(save(text.replaceAll("\n", "\r\n"))), expected);
  assert.deepEqual(await readAll(save(gzipSync(text), ".gz")), expected);
});

test("readRecordings() reads conversations, ours and cryptofeed's", async () => {
  const line = (ts: unknown, t: string, data: string) => JSON.stringify({ t, ts, conn: 0, data });
  const text = [
    line(1_723_161_255, "connect", "wss://stream.binance.com"),
    line(1_723_161_255.25, "recv", combined(1)),
    line(1_723_161_255.5, "send", combined(2)),
    line("1723161256000000000", "recv", combined(3)),
    line(1_723_161_257, "recv", '{"result":null,"id":1}'),
    JSON.stringify({ t: "recv", ts: 1_723_161_258, b64: "AAAA" }),
  ].join("\n");
  const expected = [event(1_723_161_255_250, 1), event(1_723_161_256_000, 3)];
  assert.deepEqual(await readAll(save(text)), expected);
});

test("readRecordings() sorts rows of trades by id", async () => {
  const row = (id: number, maker: string) =>
    `u;trade;${1_559_520_000_000 + id};ADAUSDT;${id};0.09;10.0;1;2;${1_559_520_000_000 + id};${maker};x`;
  const events = await readAll(save([row(3, "t"), row(1, "f"), row(2, "t")].join("\n")));
  assert.deepEqual(
    events.map(({ receivedMs, stream, event }) => [
      receivedMs,
      stream,
      (JSON.parse(event) as { m: boolean }).m,
    ]),
    [
      [1_559_520_000_001, "adausdt@trade", false],
      [1_559_520_000_002, "adausdt@trade", true],
      [1_559_520_000_003, "adausdt@trade", true],
    ],
  );
});

test("readRecordings() merges files by the time of receipt", async () => {
  const stamped = (times: number[]) => times.map((ms) => `${ms}000000 ${combined(ms)}`).join("\n");
  const paths = [save(stamped([1, 4, 9])), save(""), save(stamped([2, 3, 10])), save(stamped([5]))];
  const ids = (await readAll(...paths)).map(({ receivedMs }) => receivedMs);
  assert.deepEqual(ids, [1, 2, 3, 4, 5, 9, 10]);
});

test("readRecordings() tells file and line of what it cannot read", async () => {
  const good = `1723161255123000000 ${combined(1)}`;
  for (const bad of [
    "hello",
    "Unix;Date;Symbol",
    '1723161255123000000 {"stream":"x","data":{',
    "{not json",
    '{"ts":1}',
    `{"t":"recv","ts":"yesterday","data":${JSON.stringify(combined(1))}}`,
    "u;trade;1;ADAUSDT;one;0.09;10.0;1;2;1;t",
  ]) {
    const path = save([good, "", bad, good].join("\n"));
    await assert.rejects(readAll(path), (error: Error) => {
      assert.ok(error instanceof SyntaxError);
      assert.ok(error.message.startsWith(`Cannot read ${path}:3: `), error.message);
      return true;
    });
  }
});

test("readRecordings() fails with the path of a file that is missing, damaged or cut off", async () => {
  const whole = gzipSync(Array.from({ length: 10_000 }, (_, i) => `${i}000000 ${combined(i)}`).join("\n"));
  const missing = join(home, "missing");
  const paths = [
    missing,
    `${missing}.gz`,
    home,
    save("no gzip", ".gz"),
    save(whole.subarray(0, whole.length / 2), ".gz"),
  ];
  for (const path of paths) {
    await assert.rejects(readAll(save(`1000000 ${combined(1)}`), path), (error: Error) => {
      assert.ok(error.message.startsWith(`Cannot read ${path}: `), error.message);
      return true;
    });
  }
});

test("readRecordings() closes its files when it is left early", async (t) => {
  if (process.platform !== "linux") return t.skip("needs /proc");
  const openFiles = () => readdirSync("/proc/self/fd").length;
  const lines = Array.from({ length: 50_000 }, (_, i) => `${i}000000 ${combined(i)}`).join("\n");
  const paths = [save(lines), save(gzipSync(lines), ".gz")];
  const before = openFiles();
  for (let i = 0; i < 10; i++) {
    for await (const { receivedMs } of readRecordings(paths)) if (receivedMs > 100) break;
  }
  await eventually("all are closed", () => openFiles() <= before);
});

const frames = recordings("binance-2024-08", /usdt_\d+\.gz$/);
test("readRecordings() reads every trade of recorded frames", { skip: frames.skip }, async () => {
  const counts = new Map<string, number>();
  let lastMs = 0;
  for await (const { receivedMs, stream } of readRecordings(frames.paths)) {
    assert.ok(receivedMs >= lastMs);
    lastMs = receivedMs;
    counts.set(stream, (counts.get(stream) ?? 0) + 1);
  }
  assert.equal(counts.get("btcusdt@trade")! + counts.get("ethusdt@trade")!, 34_419);
});

const week = recordings("ada-2019-06", /^ADAUSDT.*\.gz$/);
test("readRecordings() reads a week of trades in the order of their ids", { skip: week.skip }, async () => {
  let count = 0;
  let lastId = 0;
  for await (const { stream, event } of readRecordings(week.paths)) {
    assert.equal(stream, "adausdt@trade");
    const id = Number(/"t":(\d+)/.exec(event)?.[1]);
    assert.ok(id >= lastId, `${id} comes after ${lastId}`);
    lastId = id;
    count++;
  }
  assert.equal(count, 210_493);
});

const conversations = recordings("frames", /^binance\.(spot|us|usdm|coinm)\..*\.jsonl\.gz$/);
test("readRecordings() reads recorded conversations", { skip: conversations.skip }, async () => {
  const expected: Record<string, number> = {
    "binance.spot.btcusdt.midnight.jsonl.gz": 6_874,
    "binance.spot.cryptofeed-v2.jsonl.gz": 17,
  };
  for (const path of conversations.paths) {
    const events = await readAll(path);
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (name in expected) assert.equal(events.length, expected[name], name);
    assert.ok(events.length > 0, name);
    for (const { receivedMs, stream, event } of events) {
      assert.ok(receivedMs > 1_600_000_000_000 && receivedMs < 1_800_000_000_000, name);
      assert.match(stream, /^[a-z0-9_!]+@/, name);
      assert.ok(JSON.parse(event), name);
    }
  }
});
