import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, test } from "node:test";
import { startHealthServer } from "../../src/observe/health_server.ts";

const ailments: string[] = [];
const obstacles: string[] = [];
let metrics = () => Promise.resolve("a 1\n");
const server = await startHealthServer(
  { ailments: () => ailments, obstacles: () => obstacles, metrics: () => metrics() },
  { host: "127.0.0.1", port: 0 },
);
after(() => server.stop());

test("startHealthServer() answers 200 while there is nothing to complain about", async () => {
  assert.deepEqual(await get("/livez"), { status: 200, text: "ok\n" });
  assert.deepEqual(await get("/readyz"), { status: 200, text: "ready\n" });
  assert.deepEqual(await get("/readyz?verbose=1"), { status: 200, text: "ready\n" });
});

test("startHealthServer() answers 503 with every reason on a line of its own", async () => {
  ailments.push("a is dead");
  obstacles.push("a is dead", "b is away");
  assert.deepEqual(await get("/livez"), { status: 503, text: "a is dead\n" });
  assert.deepEqual(await get("/readyz"), { status: 503, text: "a is dead\nb is away\n" });
  ailments.length = 0;
  obstacles.length = 0;
  assert.equal((await get("/readyz")).status, 200);
});

test("startHealthServer() gives metrics in the type that Prometheus expects", async () => {
  const response = await fetch(urlOf("/metrics"));
  assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assert.equal(await response.text(), "a 1\n");
});

test("startHealthServer() says 500 where it has no metrics, and goes on", async () => {
  metrics = () => Promise.reject(new Error("no numbers"));
  assert.deepEqual(await get("/metrics"), { status: 500, text: "no numbers\n" });
  metrics = () => Promise.resolve("a 1\n");
  assert.equal((await get("/metrics")).status, 200);
});

test("startHealthServer() knows no other path", async () => {
  for (const path of ["/", "/livez/", "/metrics/x", "/toString", "/__proto__", "/%2e%2e/etc/passwd"]) {
    assert.deepEqual(await get(path), {
      status: 404,
      text: "expected /livez, /readyz, /metrics\n",
    });
  }
});

test("startHealthServer() takes GET and HEAD only", async () => {
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    const response = await fetch(urlOf("/livez"), { method });
    assert.equal(response.status, 405);
    assert.equal(response.headers.get("allow"), "GET, HEAD");
  }
  const head = await fetch(urlOf("/livez"), { method: "HEAD" });
  assert.equal(head.status, 200);
  assert.equal(head.headers.get("content-length"), "3");
  assert.equal(await head.text(), "");
});

test("startHealthServer() refuses what is not HTTP or too long, and goes on", async () => {
  for (const request of ["what?\r\n\r\n", `GET /livez HTTP/1.1\r\nx: ${"x".repeat(10_000)}\r\n\r\n`]) {
    const socket = connect(server.port, "127.0.0.1");
    socket.write(request);
    const [answer] = (await once(socket, "data")) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1.1 4(00|31) /);
    socket.destroy();
  }
  assert.equal((await get("/livez")).status, 200);
});

test("startHealthServer() has room for so many connections and no more", async () => {
  const sockets = Array.from({ length: 70 }, () => connect(server.port, "127.0.0.1"));
  const closed = sockets.map((socket) =>
    once(
      socket.on("error", () => undefined),
      "close",
    ),
  );
  await Promise.race(closed);
  for (const socket of sockets) socket.destroy();
  await Promise.all(closed);
  assert.equal((await get("/livez")).status, 200);
});

test("startHealthServer() fails with the system's code where the port is taken", async () => {
  await assert.rejects(
    startHealthServer(
      { ailments: () => [], obstacles: () => [], metrics: () => metrics() },
      { host: "127.0.0.1", port: server.port },
    ),
    { code: "EADDRINUSE" },
  );
});

function urlOf(path: string): string {
  return `http://127.0.0.1:${server.port}${path}`;
}

async function get(path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(urlOf(path));
  return { status: response.status, text: await response.text() };
}
