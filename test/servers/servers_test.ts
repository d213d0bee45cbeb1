import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { connect, StorageType } from "nats";
import { findServer } from "../../src/servers/binaries.ts";
import { startInfluxd } from "../../src/servers/influxd.ts";
import { startNatsServer } from "../../src/servers/nats_server.ts";
import { freePort } from "../../src/servers/port.ts";

const home = await mkdtemp(join(tmpdir(), "tickline-servers-test-"));
after(() => rm(home, { recursive: true, force: true }));

test("startNatsServer() runs JetStream, survives kill -9 with its files and leaves nothing behind", async () => {
  const server = await startNatsServer();
  const before = server.pid;
  const connection = await connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 20 });
  const manager = await connection.jetstreamManager();
  await manager.streams.add({ name: "KEPT", subjects: ["kept"], storage: StorageType.File });
  await connection.jetstream().publish("kept", "one");
  server.kill("SIGKILL");
  await server.restart();
  assert.notEqual(server.pid, before);
  const again = await connect({ servers: server.url });
  const { state } = await (await again.jetstreamManager()).streams.info("KEPT");
  assert.equal(state.messages, 1);
  await connection.close();
  await again.close();
  const pid = server.pid!;
  await server.stop();
  assert.equal(server.pid, undefined);
  assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
});

test("startNatsServer() stops a frozen server too", { timeout: 15_000 }, async () => {
  const server = await startNatsServer();
  const pid = server.pid!;
  server.kill("SIGSTOP");
  await server.stop();
  assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
});

test("startNatsServer() takes another port than the preferred one when that is in use", async () => {
  const occupant = createServer().listen(0, "127.0.0.1");
  await once(occupant, "listening");
  const address = occupant.address();
  assert.ok(typeof address === "object" && address !== null);
  const server = await startNatsServer({ port: address.port });
  assert.notEqual(server.port, address.port);
  await server.stop();
  occupant.close();
});

test("startNatsServer() fails with the server's own words on a wrong configuration", async () => {
  await assert.rejects(
    startNatsServer({ extraConfig: "no_such_option: 1" }),
    /it ends with 1\n.*no_such_option/s,
  );
});

test("startNatsServer() keeps the files of a given folder only", async () => {
  const folder = join(home, "kept");
  const server = await startNatsServer({ folder });
  await server.stop();
  assert.ok((await readdir(folder)).includes("nats-server.conf"));
});

test("startNatsServer() runs many servers at once", async () => {
  const servers = await Promise.all(Array.from({ length: 4 }, () => startNatsServer()));
  assert.equal(new Set(servers.map(({ port }) => port)).size, 4);
  await Promise.all(servers.map((server) => server.stop()));
});

test("startInfluxd() answers, keeps what was written over a restart and leaves nothing behind", async () => {
  const influxd = await startInfluxd();
  assert.equal((await query(influxd.url, "CREATE DATABASE kept")).status, 200);
  const written = await fetch(`${influxd.url}/write?db=kept`, { method: "POST", body: "m f=1 1" });
  assert.equal(written.status, 204);
  influxd.kill("SIGKILL");
  await influxd.restart();
  const reply = await query(influxd.url, "SELECT * FROM kept..m");
  assert.match(await reply.text(), /"values":\[\[.*,1\]\]/);
  await influxd.stop();
  await assert.rejects(fetch(`${influxd.url}/ping`));
});

test("ServerProcess dies with a parent that is killed", { timeout: 30_000 }, async (t) => {
  if (process.platform !== "linux") return t.skip("the parent-death signal is Linux's");
  const script = fileURLToPath(new URL("./life_of_parent.ts", import.meta.url));
  const parent = spawn(process.execPath, ["--import", "tsx", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(createInterface(parent.stdout), "line");
  const { pid } = JSON.parse(String(line)) as { pid: number };
  parent.kill("SIGKILL");
  while (await isAlive(pid)) await delay(10);
});

test("findServer() says what to install", (t) => {
  const unpacked = fileURLToPath(new URL("../../.tools/root/usr/sbin/nats-server", import.meta.url));
  if (existsSync(unpacked)) return t.skip("the packages are unpacked in .tools/");
  assert.throws(() => findServer("nats-server", home), /Cannot find "nats-server".*make install-servers/);
});

test("freePort() gives the preferred port when nobody has it", async () => {
  const port = await freePort();
  assert.equal(await freePort(port), port);
});

function query(url: string, text: string): Promise<Response> {
  return fetch(`${url}/query`, { method: "POST", body: new URLSearchParams({ q: text }) });
}

/** Whether a process runs; a dead one that nobody collects, as in a container without init, does not. */
async function isAlive(pid: number): Promise<boolean> {
  try {
    return !/\) Z /.test(await readFile(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

test("startInfluxd() does not take another influxd on its port for its own", async (t) => {
  const port = await freePort();
  // All of them find the port free, and one is the first to take it.
  const servers = await Promise.all(Array.from({ length: 4 }, () => startInfluxd({ port })));
  t.after(() => Promise.all(servers.map((server) => server.stop())));
  assert.equal(new Set(servers.map((server) => server.port)).size, servers.length);
  for (const server of servers) assert.ok(await isAlive(server.pid!));
});
