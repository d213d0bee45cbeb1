import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { startInfluxd } from "../../src/servers/influxd.ts";
import { startNatsServer } from "../../src/servers/nats_server.ts";
import { freePort } from "../../src/servers/port.ts";
import { Command } from "./command.ts";

const MARKETS = "sim:BTC-USDT";
const NO_NATS = /cannot reach NATS/;

/** A way to a server that lets one connection through and leaves all others without an answer. */
async function letOneThrough(t: TestContext, port: number): Promise<number> {
  const sockets: Socket[] = [];
  const narrow = createServer((client) => {
    client.on("error", () => client.destroy());
    sockets.push(client);
    if (sockets.length > 1) return;
    const server = connect(port, "127.0.0.1");
    server.on("error", () => client.destroy());
    client.pipe(server).pipe(client);
  });
  narrow.listen(0, "127.0.0.1");
  await once(narrow, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    narrow.close();
  });
  return (narrow.address() as AddressInfo).port;
}

async function endsCleanly(command: Command): Promise<void> {
  command.send("SIGTERM");
  assert.deepEqual(await command.ends(), { code: 0, signal: null }, command.stderr);
}

test("run-ingest and run-workers stop cleanly while they wait for servers", async (t) => {
  const nowhere = `127.0.0.1:${await freePort()}`;
  const env = { MARKETS, NATS_URL: `nats://${nowhere}`, INFLUX_URL: `http://${nowhere}` };
  const ingest = new Command(t, "run-ingest", env);
  const workers = new Command(t, "run-workers", env);
  const kline = new Command(t, "run-workers", { ...env, ACTORS: "kline" });
  await Promise.all([ingest.logs(NO_NATS), workers.logs(/cannot provision InfluxDB/), kline.logs(NO_NATS)]);
  await Promise.all([ingest, workers, kline].map(endsCleanly));
});

test("run-workers stops cleanly while it has only some of its connections", async (t) => {
  const nats = await startNatsServer();
  t.after(() => nats.stop());
  const influxd = await startInfluxd();
  t.after(() => influxd.stop());
  const port = await letOneThrough(t, nats.port);
  const env = { MARKETS, NATS_URL: `nats://127.0.0.1:${port}`, INFLUX_URL: influxd.url };
  const workers = new Command(t, "run-workers", env);
  await workers.logs(NO_NATS);
  await endsCleanly(workers);
});

test("run-ingest ends when the server has too little room for its stream, and says what to change", async (t) => {
  const nats = await startNatsServer({ maxMemoryBytes: 2 ** 20 });
  t.after(() => nats.stop());
  const ingest = new Command(t, "run-ingest", { MARKETS, NATS_URL: nats.url });
  assert.deepEqual(await ingest.ends(), { code: 1, signal: null });
  assert.match(ingest.stderr, /lower TICK_MAX_BYTES/);
});
