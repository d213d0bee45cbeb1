import assert from "node:assert/strict";
import { suite, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { pino } from "pino";
import { createLog } from "../../src/observe/log.ts";
import { InfluxLane, type LaneOptions } from "../../src/store/influx_lane.ts";
import { eventually } from "../bus/harness.ts";
import { type Answer, influxError, ScriptedInflux, STORED } from "./scripted_influx.ts";

const DEADLINE_MS = 20_000;

async function open(context: TestContext, options: Partial<LaneOptions> = {}) {
  const influx = await ScriptedInflux.start();
  const lane = new InfluxLane({
    name: "test",
    target: { url: influx.url, database: "market" },
    retentionPolicy: "candles",
    precision: "ms",
    flushMs: 20,
    inFlight: 1,
    maxLines: 20_000,
    log: createLog("silent"),
    ...options,
  });
  context.after(async () => {
    await lane.close();
    await influx.stop();
  });
  const write = async (lines: readonly string[]) => {
    for (const line of lines) lane.append(line);
    await lane.flush(AbortSignal.timeout(DEADLINE_MS));
  };
  return { influx, lane, write };
}

function numbered(count: number, from = 1): string[] {
  return Array.from({ length: count }, (_, i) => `m,a=b f=${from + i} ${from + i}`);
}

function countsOf({ lines, retries }: InfluxLane): Record<string, number> {
  return Object.fromEntries([...lines.entries(), ...retries.entries()]);
}

suite("InfluxLane", { concurrency: true }, () => {
  test("writes batches of at most 5,000 lines to its policy, in their order", async (t) => {
    const { influx, lane, write } = await open(t, { retentionPolicy: "ticks", precision: "ns" });
    const lines = numbered(12_345);
    await write(lines);
    assert.deepEqual(influx.stored, lines);
    assert.deepEqual(
      influx.requests.map((request) => request.lines.length),
      [5_000, 5_000, 2_345],
    );
    const { query, authorization } = influx.requests[0]!;
    assert.deepEqual(Object.fromEntries(query), { db: "market", rp: "ticks", precision: "ns" });
    assert.equal(authorization, undefined);
    assert.deepEqual(countsOf(lane), { stored: 12_345 });
    assert.equal(lane.pending, 0);
  });

  test("lets a line wait for others no longer than flushMs, without being asked", async (t) => {
    const { influx, lane } = await open(t, { flushMs: 300 });
    const startMs = performance.now();
    lane.append("m f=1 1");
    lane.append("m f=2 2");
    await eventually("both are stored", () => influx.stored.length === 2);
    assert.ok(performance.now() - startMs >= 295);
    assert.equal(influx.requests.length, 1);
  });

  test("sends credentials in a header, never in the address", async (t) => {
    const influx = await ScriptedInflux.start();
    t.after(() => influx.stop());
    const target = { url: `${influx.url}/`, database: "market", username: "writer", password: "p:w" };
    const { write } = await open(t, { target });
    await write(["m f=1 1"]);
    const { authorization, query } = influx.requests[0]!;
    assert.equal(authorization, `Basic ${Buffer.from("writer:p:w").toString("base64")}`);
    assert.doesNotMatch(query.toString(), /writer/);
  });

  test("cuts out the lines that InfluxDB quotes and stores all others", async (t) => {
    const { influx, lane, write } = await open(t);
    const bad = ["m f=NaN 7", "m f= 8", "m,a= f=1 9"];
    const lines = [...numbered(50), ...bad, ...numbered(50, 100)];
    influx.answer = (request) => {
      const found = request.lines.filter((line) => bad.includes(line));
      if (found.length === 0) return STORED;
      const reasons = found.map((line) => `unable to parse '${line}': invalid number`).join("\n");
      return influxError(400, `partial write: ${reasons} dropped=0`);
    };
    await write(lines);
    assert.deepEqual(influx.stored, [...numbered(50), ...numbered(50, 100)]);
    assert.equal(influx.requests.length, 2);
    assert.deepEqual(countsOf(lane), { poison: 3, stored: 100 });
  });

  test("logs bad lines, yet no flood of them, and counts all", async (t) => {
    let logged = 0;
    const log = pino({ level: "error" }, { write: () => logged++ });
    const { influx, lane, write } = await open(t, { log });
    influx.answer = ({ lines }) => {
      const reasons = lines.map((line) => `unable to parse '${line}': invalid number`);
      return influxError(400, reasons.join("\n"));
    };
    await write(numbered(3_000));
    assert.deepEqual(countsOf(lane), { poison: 3_000 });
    assert.ok(logged > 0 && logged <= 100, `${logged} lines were logged`);
  });

  test("halves a batch until a bad line that nobody names stands alone", async (t) => {
    const { influx, lane, write } = await open(t);
    const bad = new Set(["m,a=b f=17 17", "m,a=b f=900 900"]);
    const conflict = influxError(400, 'partial write: field type conflict: input field "f" dropped=1');
    influx.answer = ({ lines }) => (lines.some((line) => bad.has(line)) ? conflict : STORED);
    await write(numbered(1_000));
    assert.deepEqual(
      influx.stored,
      numbered(1_000).filter((line) => !bad.has(line)),
    );
    assert.deepEqual(countsOf(lane), { stored: 998, poison: 2 });
    assert.ok(influx.requests.length <= 45, `${influx.requests.length} requests`);
  });

  test("halves a batch that is too large", async (t) => {
    const { influx, lane, write } = await open(t);
    // As a proxy words it.
    const tooLarge = { status: 413, body: "<html>Request Entity Too Large</html>" };
    influx.answer = ({ lines }) => (lines.length > 700 ? tooLarge : STORED);
    await write(numbered(4_000));
    assert.deepEqual(influx.stored, numbered(4_000));
    assert.deepEqual(countsOf(lane), { stored: 4_000 });
  });

  test("finds a line whose control characters break the answer", async (t) => {
    const { influx, lane, write } = await open(t);
    const bad = "m \x00=1 5";
    influx.answer = ({ lines }) => (lines.includes(bad) ? "control_characters" : STORED);
    await write([...numbered(100), bad, ...numbered(100, 200)]);
    assert.deepEqual(influx.stored, [...numbered(100), ...numbered(100, 200)]);
    assert.deepEqual(countsOf(lane), { stored: 200, poison: 1 });
  });

  test("holds nothing against a line when whatever answers is not InfluxDB", async (t) => {
    const { influx, lane, write } = await open(t);
    influx.answer = (_, number) => (number <= 2 ? "no_http" : STORED);
    await write(numbered(10));
    assert.deepEqual(influx.stored, numbered(10));
    assert.deepEqual(countsOf(lane), { network: 2, stored: 10 });
  });

  test("tries again when the connection is cut, before or within the answer", async (t) => {
    const { influx, lane, write } = await open(t);
    influx.answer = (_, number) => (["cut", "cut_body"] as const)[number - 1] ?? STORED;
    await write(numbered(10));
    assert.deepEqual(influx.stored, numbered(10));
    assert.deepEqual(countsOf(lane), { network: 2, stored: 10 });
  });

  test("gives up a request that is never answered, and tries again", async (t) => {
    const { influx, lane, write } = await open(t, { requestTimeoutMs: 200 });
    influx.answer = (_, number) => (number <= 2 ? "silence" : STORED);
    await write(numbered(10));
    // On a busy machine an answer that is given may come too late as well; the lines are sent once more then.
    assert.deepEqual([...new Set(influx.stored)], numbered(10));
    assert.ok(lane.retries.get("timeout") >= 2);
    assert.deepEqual([lane.lines.get("stored"), lane.lines.total], [10, 10]);
  });

  test("takes nothing but 204 for success", async (t) => {
    const { influx, lane, write } = await open(t);
    const answers = [
      { status: 200, body: "<html>Welcome</html>" },
      { status: 503, body: "request throttled, queue full" },
      { status: 302, headers: { location: `${influx.url}/write?elsewhere` } },
      influxError(500, "engine: cache-max-memory-size exceeded"),
    ];
    influx.answer = (_, number) => answers[number - 1] ?? STORED;
    await write(numbered(10));
    assert.deepEqual(influx.stored, numbered(10));
    assert.equal(influx.requests.length, 5);
    assert.deepEqual(countsOf(lane), {
      status_200: 1,
      status_503: 1,
      status_302: 1,
      status_500: 1,
      stored: 10,
    });
  });

  test("asks for a missing database or policy to be restored, and goes on at once", async (t) => {
    let restored = 0;
    const { influx, lane, write } = await open(t, {
      // The first attempt fails; that must not end the lane.
      onMissing: async () => {
        if (++restored === 1) throw new Error("not yet");
      },
    });
    influx.answer = () => {
      if (restored === 0) return influxError(404, 'database not found: "market"');
      return restored === 1 ? influxError(500, "retention policy not found: candles") : STORED;
    };
    const startMs = performance.now();
    await write(numbered(10));
    assert.ok(performance.now() - startMs < 3_000);
    assert.deepEqual(influx.stored, numbered(10));
    assert.deepEqual(countsOf(lane), { status_404: 1, status_500: 1, stored: 10 });
  });

  const refusals: Record<string, Exclude<Answer, string>> = {
    "it is not let in": influxError(401, "authorization failed"),
    "a proxy refuses": { status: 400, body: "<html>400 Bad Request</html>" },
  };
  for (const [what, refusal] of Object.entries(refusals)) {
    test(`waits for an operator when ${what}, and loses nothing`, async (t) => {
      let restored = 0;
      const { influx, lane, write } = await open(t, { onMissing: async () => void restored++ });
      influx.answer = (_, number) => (number === 1 ? refusal : STORED);
      const startMs = performance.now();
      const written = write(numbered(10));
      await eventually("it is refused", () => lane.obstacle !== undefined);
      await written;
      assert.ok(performance.now() - startMs > 4_500, "it hammers");
      assert.equal(lane.obstacle, undefined);
      assert.deepEqual(influx.stored, numbered(10));
      assert.deepEqual(countsOf(lane), { [`status_${refusal.status}`]: 1, stored: 10 });
      assert.equal(restored, 0);
    });
  }

  test("counts the lines that are too old to be kept, and no others", async (t) => {
    const { influx, lane, write } = await open(t);
    influx.answer = () => influxError(400, "partial write: points beyond retention policy dropped=3");
    await write(numbered(10));
    assert.equal(influx.requests.length, 1);
    assert.deepEqual(countsOf(lane), { beyond_retention: 3, stored: 7 });
  });

  test("has inFlight requests at a time, and one keeps the order through every failure", async (t) => {
    const { influx, write } = await open(t);
    influx.answer = async ({ lines }, number) => {
      await delay(5);
      if (number % 3 === 1) return "cut";
      return lines.length > 2_000 ? { status: 413 } : STORED;
    };
    await write(numbered(12_000));
    assert.deepEqual(influx.stored, numbered(12_000));
    assert.equal(influx.mostAtATime, 1);
    const two = await open(t, { inFlight: 2 });
    two.influx.answer = async () => {
      await eventually("both requests are there", () => two.influx.requests.length >= 2);
      return STORED;
    };
    await two.write(numbered(10_000));
    assert.deepEqual(new Set(two.influx.stored), new Set(numbered(10_000)));
    assert.equal(two.influx.mostAtATime, 2);
  });

  test("room() makes the caller wait while InfluxDB does not take writes", async (t) => {
    const { influx, lane } = await open(t, { maxLines: 100 });
    influx.answer = () => ({ status: 503 });
    const stop = new AbortController();
    let appended = 0;
    const caller = (async () => {
      while (!stop.signal.aborted) {
        lane.append(`m f=1 ${appended++}`);
        await lane.room(stop.signal);
      }
    })();
    await eventually("it has tried thrice", () => influx.requests.length >= 3);
    // What waits, and what the one request took.
    assert.ok(lane.pending <= 100 + 100, `${lane.pending} lines are held`);
    const before = appended;
    influx.answer = () => STORED;
    await eventually("the caller goes on", () => appended > before + 1_000);
    stop.abort();
    await caller;
    await lane.flush(AbortSignal.timeout(DEADLINE_MS));
    assert.equal(influx.stored.length, appended);
  });

  test("flush() gives up with its signal, and close() tells what is left", async (t) => {
    const { influx, lane } = await open(t);
    influx.answer = ({ lines }) =>
      lines.length > 5 ? { status: 413 } : lines.includes("last") ? "silence" : STORED;
    for (const line of [...numbered(9), "last"]) lane.append(line);
    const deadline = new AbortController();
    const flushed = lane.flush(deadline.signal);
    await eventually("one half is stored", () => lane.lines.get("stored") === 5);
    const startMs = performance.now();
    deadline.abort();
    await flushed;
    assert.equal(lane.pending, 5);
    lane.append("late");
    assert.equal(await lane.close(), 6);
    assert.deepEqual(countsOf(lane), { stored: 5 });
    assert.ok(performance.now() - startMs < 5_000);
  });

  test("flush() does not wait for lines that come after it", async (t) => {
    const { influx, lane } = await open(t);
    const stop = new AbortController();
    influx.answer = () => {
      if (!stop.signal.aborted) lane.append("later");
      return STORED;
    };
    lane.append("first");
    await lane.flush(AbortSignal.timeout(DEADLINE_MS));
    stop.abort();
    assert.equal(influx.stored[0], "first");
    assert.ok(influx.stored.length < 50, `${influx.stored.length} lines were waited for`);
  });

  test("close() waits neither for an answer nor for what restores the database", async (t) => {
    for (const answer of ["silence", influxError(404, 'database not found: "market"')] as const) {
      const { influx, lane } = await open(t, { onMissing: () => new Promise(() => undefined) });
      influx.answer = () => answer;
      lane.append("m f=1 1");
      await eventually("it is asked", () => influx.requests.length > 0);
      const flushed = lane.flush(AbortSignal.timeout(DEADLINE_MS));
      const startMs = performance.now();
      assert.equal(await lane.close(), 1);
      await flushed;
      await lane.room(AbortSignal.timeout(DEADLINE_MS));
      assert.ok(performance.now() - startMs < 3_000);
    }
  });
});
