import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { Bus } from "../../src/bus/connection.ts";
import { createLog } from "../../src/observe/log.ts";
import { startNatsServer } from "../../src/servers/nats_server.ts";
import { freePort } from "../../src/servers/port.ts";
import { busTest, eventually, freeze, natsBinaries } from "./harness.ts";

const MEGABYTE = 1024 * 1024;

test("Bus.open() says at once that a file of credentials cannot be read", async () => {
  const { signal } = new AbortController();
  const options = { servers: ["nats://127.0.0.1:1"], name: "test", log: createLog("silent"), signal };
  await assert.rejects(Bus.open({ ...options, credsFile: "/nonexistent.creds" }), { code: "ENOENT" });
});

test("Bus.open() waits for a server that comes up later, until the signal is aborted", async (context) => {
  const [binary] = natsBinaries();
  if (binary === undefined) return context.skip("there is no nats-server on PATH");
  const port = await freePort();
  const stop = new AbortController();
  const options = { servers: [`nats://127.0.0.1:${port}`], name: "test", log: createLog("silent") };
  const abandoned = Bus.open({ ...options, signal: stop.signal });
  const opened = Bus.open({ ...options, signal: new AbortController().signal });
  stop.abort();
  await assert.rejects(abandoned, { name: "AbortError" });
  const server = await startNatsServer({ port, binary });
  context.after(() => server.stop());
  const bus = await opened;
  assert.equal(bus.connected, true);
  await bus.close();
  assert.equal(bus.connected, false);
});

test("Bus.open() leaves no socket to a server that takes connections and says nothing", async (context) => {
  const open = new Set<Socket>();
  const mute = createServer((socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket)).resume();
  }).listen(0, "127.0.0.1");
  context.after(() => mute.close());
  await once(mute, "listening");
  const { port } = mute.address() as AddressInfo;
  const stop = new AbortController();
  const options = { servers: [`nats://127.0.0.1:${port}`], name: "test", log: createLog("silent") };
  const opening = Bus.open({ ...options, signal: stop.signal });
  opening.catch(() => undefined);
  await eventually("it tries again", () => open.size === 2, 10_000);
  const attempts = [...open];
  stop.abort();
  await assert.rejects(opening, { name: "AbortError" });
  await eventually("the sockets are closed", () => attempts.every((socket) => !open.has(socket)), 10_000);
});

busTest(
  "Bus tells its listeners about a lost connection and the next one",
  async ({ bus, server, signal }) => {
    const heard: string[] = [];
    bus.listen({ onLost: () => heard.push("lost"), onRestored: () => heard.push("restored") });
    const forget = bus.listen({ onLost: () => heard.push("forgotten") });
    forget();
    server.kill("SIGKILL");
    await eventually("the loss is noticed", () => !bus.connected);
    await server.restart();
    await bus.untilConnected(signal);
    assert.deepEqual(heard, ["lost", "restored"]);
    assert.equal(bus.events.get("disconnect"), 1);
  },
);

busTest(
  "Bus gives up a server that hangs although its socket takes nothing any more",
  async ({ bus, server, signal }) => {
    await freeze(server);
    for (let i = 0; i < 16; i++) bus.connection.publish("flood", new Uint8Array(MEGABYTE / 2));
    await eventually("the connection is given up", () => !bus.connected, 15_000);
    assert.equal(bus.events.get("stale"), 1);
    server.kill("SIGCONT");
    await bus.untilConnected(signal);
    await bus.connection.flush();
  },
);

busTest(
  "Bus counts refused permissions and uses its own inboxes",
  async ({ connect }) => {
    const bus = await connect({ user: "small", password: "secret", inboxPrefix: "_SMALL" });
    assert.match(bus.createInbox(), /^_SMALL\./);
    bus.connection.publish("forbidden", "x");
    await eventually("the refusal is counted", () => bus.events.get("error") === 1);
    assert.equal(bus.connected, true);
  },
  {
    extraConfig: `
      authorization {
        default_permissions: { publish: ">", subscribe: ">" }
        users: [
          { user: small, password: secret, permissions: { publish: "ticks.>", subscribe: "_SMALL.>" } }
          { user: any, password: any }
        ]
      }
      no_auth_user: any`,
  },
);
