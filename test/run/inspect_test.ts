import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { startNatsServer } from "../../src/servers/nats_server.ts";
import { freePort } from "../../src/servers/port.ts";
import { until } from "../pipeline/harness.ts";
import { Command } from "./command.ts";

/** Longer than the command gives the server, with room for a loaded machine. */
const DEADLINE_MS = 20_000;

function inspect(t: TestContext, port: number): Command {
  return new Command(t, "inspect", { NATS_URL: `nats://127.0.0.1:${port}` });
}

test("inspect says in one line that there is no server, or none that answers", async (t) => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket)).listen(0, "127.0.0.1");
  await once(silent, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const ports = [await freePort(), (silent.address() as AddressInfo).port];
  const commands = ports.map((port) => inspect(t, port));
  for (const [index, command] of commands.entries()) {
    assert.deepEqual(await command.ends(DEADLINE_MS), { code: 1, signal: null }, command.stderr);
    assert.equal(
      command.stderr,
      `Cannot inspect: no NATS server answers at nats://127.0.0.1:${ports[index]} (NATS_URL)\n`,
    );
    assert.equal(command.stdout, "");
  }
});

test("inspect says who does not answer, and waits for nobody", async (t) => {
  const server = await startNatsServer();
  t.after(() => server.stop());
  const env = { NATS_URL: server.url, ACTORS: "kline", SHARDS: "2", SHARD: "0-1", LOG_LEVEL: "warn" };
  const workers = new Command(t, "run-workers", env);
  const shown = async () => {
    const command = inspect(t, server.port);
    assert.deepEqual(await command.ends(DEADLINE_MS), { code: 0, signal: null }, command.stderr);
    return command.stdout;
  };
  const isAtWork = async () => /^ *\d+ +kline +kline-0,1 +- +-$/m.test(await shown());
  await until("the actors are at work", isAtWork, DEADLINE_MS);
  workers.send("SIGSTOP");
  const text = await shown();
  for (const actor of ["kline-0", "kline-1"]) {
    assert.match(text, new RegExp(`^no answer from ${actor}, which has a consumer`, "m"));
  }
  workers.send("SIGCONT");
  await until("the actors answer again", isAtWork, DEADLINE_MS);
});

test("inspect shows a server without streams and actors", async (t) => {
  const server = await startNatsServer();
  t.after(() => server.stop());
  const command = inspect(t, server.port);
  assert.deepEqual(await command.ends(DEADLINE_MS), { code: 0, signal: null }, command.stderr);
  assert.equal(command.stderr, "");
  assert.match(command.stdout, /^stream /m);
  assert.match(command.stdout, /\nunexplained 0\n$/);
});
