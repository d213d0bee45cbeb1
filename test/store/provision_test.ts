import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { createLog } from "../../src/observe/log.ts";
import { createInfluxClient, provision } from "../../src/store/provision.ts";
import { eventually } from "../bus/harness.ts";

const log = createLog("silent");
const FOR_EVER = { candlesMs: 0, ticksMs: 0 };
const NOTHING = JSON.stringify({ results: [{ statement_id: 0 }] });

async function listen(context: TestContext, handler: RequestListener, host = "127.0.0.1"): Promise<number> {
  const server = createServer(handler);
  server.listen(0, host);
  await once(server, "listening");
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

test("provision() tries again after an answer that is cut, and ends with its signal", async (t) => {
  let requests = 0;
  const port = await listen(t, (_, response) => {
    // The client waits for ever for the rest of such an answer.
    if (++requests === 1)
      response.writeHead(200, { "content-length": 1_000 }).write("{", () => response.destroy());
    // And for this one as long as 30 s.
  });
  const stop = new AbortController();
  const target = { url: `http://127.0.0.1:${port}`, database: "market" };
  const provisioned = provision(target, FOR_EVER, { log, signal: stop.signal });
  await eventually("it tries again", () => requests >= 2, 15_000);
  stop.abort(new Error("stopped"));
  const startMs = performance.now();
  await assert.rejects(provisioned, /stopped/);
  assert.ok(performance.now() - startMs < 2_000);
});

test("createInfluxClient() keeps the path of the address, and the port of its scheme", async (t) => {
  const paths: string[] = [];
  const port = await listen(t, (request, response) => {
    paths.push(new URL(request.url!, "http://localhost").pathname);
    response.end(NOTHING);
  });
  for (const path of ["", "/", "/influx", "/influx/"]) {
    const client = createInfluxClient({ url: `http://127.0.0.1:${port}${path}`, database: "market" });
    await client.query("SELECT 1");
  }
  assert.deepEqual(paths, ["/query", "/query", "/influx/query", "/influx/query"]);
});

test("createInfluxClient() reaches an IPv6 address", async (t) => {
  let port: number;
  try {
    port = await listen(t, (_, response) => response.end(NOTHING), "::1");
  } catch {
    return t.skip("this machine has no IPv6");
  }
  const client = createInfluxClient({ url: `http://[::1]:${port}`, database: "market" });
  await client.query("SELECT 1");
});
