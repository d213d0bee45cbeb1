import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startInfluxd } from "../../src/servers/influxd.ts";
import { startNatsServer } from "../../src/servers/nats_server.ts";
import { decodeCandle } from "../../src/wire/candle_codec.ts";
import { createStore, until } from "../pipeline/harness.ts";
import { Command, privateFolder } from "./command.ts";

const BUILT = fileURLToPath(new URL("../../.tools/go/bin", import.meta.url));
const CLI = [...(process.env.PATH ?? "").split(delimiter), BUILT]
  .map((folder) => join(folder, "nats"))
  .find(isExecutable);
const CALL_TIMEOUT_MS = 30_000;

/** The columns of a table, and cells between them. */
const BAR = "│";

/** Arguments of the CLI, and what it must print. */
const CALLS: readonly (readonly [string, readonly RegExp[]])[] = [
  ["stream ls", [/│ CANDLES +│/, /│ LIVE +│/, /│ TICKS +│/]],
  [
    "stream info TICKS",
    [
      /Subjects: ticks\.>\n/,
      /Storage: Memory\n/,
      /Discard Policy: Old\n/,
      /Maximum Bytes: 256 MiB\n/,
      /Maximum Age: 1m0s\n/,
      /Active Consumers: 16\n/,
    ],
  ],
  ["stream info CANDLES", [/Subjects: candles\.>\n/, /Storage: File\n/, /Maximum Age: 1d0h0m0s\n/]],
  ["stream get CANDLES 1", [/^Item: CANDLES#1 received .* on Subject candles\.sim\.[A-Z]+-USDT\.1s\n/]],
  ["stream get TICKS --last-for=ticks.2.sim", [/ on Subject ticks\.2\.sim\n/]],
  ["sub candles.> --count=2", [/\[#1\] Received on "candles\.sim\./, /\[#2\] Received on "candles\.sim\./]],
  ["sub live.sim.BTC-USDT.1m --count=1", [/\[#1\] Received on "live\.sim\.BTC-USDT\.1m"/]],
  // The actor answers, or its process.
  [
    "micro info tickline-ingest",
    [
      /Description: (Turns a venue's trades|Keeps the accounts of a process)/,
      /(Metadata: | )(venue: sim|account: ingest)\n/,
    ],
  ],
];

test("the nats CLI shows streams, consumers, messages and actors", { skip: skipReason() }, async (t) => {
  const nats = await startNatsServer();
  t.after(() => nats.stop());
  const influxd = await startInfluxd();
  t.after(() => influxd.stop());
  const env = { NATS_URL: nats.url, INFLUX_URL: influxd.url, MARKETS: "sim:BTC-USDT,sim:ETH-USDT" };
  const commands = [new Command(t, "run-ingest", env), new Command(t, "run-workers", env)];
  const store = createStore(influxd.url, "market");
  const stored = async () => (await store.candles("1s").catch(() => [])).length > 0;
  await until("a candle is stored", stored, 60_000);
  const call = await createCaller(t, nats.url);

  for (const [args, patterns] of CALLS) {
    await t.test(`nats ${args}`, async () => {
      const text = (await call(args)).toString();
      for (const pattern of patterns) assert.match(text, pattern);
    });
  }
  await t.test("nats consumer ls TICKS: one of each kind a shard, and nothing waits for an ack", async () => {
    const rows = rowsOf(await call("consumer ls TICKS")).filter(([name]) => /^(kline|persist)-/.test(name!));
    const kinds = rows.map(([name]) => name!.replace(/-[^-]+$/, "")).toSorted();
    const shards = Array.from({ length: 8 }, (_, shard) => shard);
    assert.deepEqual(kinds, [
      ...shards.map((shard) => `kline-${shard}`),
      ...shards.map((shard) => `persist-ticks-${shard}`),
    ]);
    for (const [name, , , ackPending] of rows) assert.equal(ackPending, "0", name);
  });
  // The CLI collects answers for a moment only, which a loaded machine may miss: it is asked until all are in.
  await t.test("nats micro ls: all actors", async () => {
    // One for each actor, and one for the accounts of each role of a process.
    const all = { "tickline-ingest": 2, "tickline-kline": 9, "tickline-persist": 10 };
    let counts: Record<string, number> = {};
    const answered = async () => {
      counts = {};
      const services = JSON.parse((await call("micro ls --json")).toString()) as { name: string }[];
      for (const { name } of services) counts[name] = (counts[name] ?? 0) + 1;
      return services.length >= 21;
    };
    await until("all actors answer", answered, CALL_TIMEOUT_MS);
    assert.deepEqual(counts, all);
  });
  await t.test("nats micro stats tickline-kline: what was asked of each actor", async () => {
    let rows: string[][] = [];
    const answered = async () => {
      rows = rowsOf(await call("micro stats tickline-kline")).filter(([, endpoint]) => endpoint === "status");
      return rows.length === 9;
    };
    await until("all actors answer", answered, CALL_TIMEOUT_MS);
    const said: unknown[] = [];
    for (const [id] of rows) {
      const answer = await call(`request tickline.status.tickline-kline.${id} --raw`);
      const { actor, role } = JSON.parse(answer.toString()) as { actor?: string; role?: string };
      said.push(actor ?? role);
    }
    const shards = Array.from({ length: 8 }, (_, shard) => shard);
    assert.deepEqual(said.toSorted(), ["kline", ...shards.map((shard) => `kline-${shard}`)]);
    await until("all actors answer", answered, CALL_TIMEOUT_MS);
    for (const [, , requests, , errors] of rows) assert.deepEqual([requests, errors], ["1", "0"]);
  });
  await t.test("nats sub --raw: the bytes of a candle", async () => {
    const bytes = await call("sub candles.sim.BTC-USDT.1s --count=1 --raw");
    const key = { venue: "sim", market: "BTC-USDT", interval: "1s" } as const;
    const printed = bytes.toString("hex");
    assert.ok(printed.endsWith("0a"), printed);
    try {
      const candle = decodeCandle(key, bytes.subarray(0, -1));
      assert.equal(candle.endMs - candle.openMs, 1_000);
    } catch (cause) {
      throw new Error(`This is no candle: ${printed}`, { cause });
    }
  });

  for (const command of commands) command.send("SIGTERM");
  for (const command of commands) assert.deepEqual(await command.ends(), { code: 0, signal: null });
});

function skipReason(): string | false {
  return CLI === undefined && "there is no nats CLI on PATH or in .tools/go/bin";
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What calls the CLI, with no configuration but the server. */
async function createCaller(t: TestContext, natsUrl: string): Promise<(args: string) => Promise<Buffer>> {
  const home = await privateFolder(t);
  const env = { HOME: home, XDG_CONFIG_HOME: home, NATS_URL: natsUrl, COLUMNS: "200" };
  return async (args) => {
    const calling = promisify(execFile)(CLI!, args.split(" "), {
      env,
      encoding: "buffer",
      timeout: CALL_TIMEOUT_MS,
    });
    calling.child.stdin?.end();
    return (await calling).stdout;
  };
}

/** The cells of a table. */
function rowsOf(text: Buffer): string[][] {
  return text
    .toString()
    .split("\n")
    .filter((line) => line.startsWith(BAR))
    .map((line) =>
      line
        .split(BAR)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}
