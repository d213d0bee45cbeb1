import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { WriteEndpoint } from "../../src/store/write_endpoint.ts";
import { ScriptedInflux } from "./scripted_influx.ts";

test("WriteEndpoint leaves nothing behind on the signal that outlives its requests", async (t) => {
  const influx = await ScriptedInflux.start();
  t.after(() => influx.stop());
  const endpoint = new WriteEndpoint({
    target: { url: influx.url, database: "market" },
    retentionPolicy: "candles",
    precision: "ms",
    requestTimeoutMs: 10_000,
  });
  influx.answer = (_, number) => (number % 10 === 0 ? "cut" : { status: 204 });
  const { signal } = new AbortController();
  for (let i = 0; i < 100; i++) await endpoint.post(["m f=1 1"], signal);
  assert.equal(getEventListeners(signal, "abort").length, 0);
  // Where Node 20 keeps what AbortSignal.any() makes of a signal.
  const key = Object.getOwnPropertySymbols(signal).find(
    ({ description }) => description === "kDependantSignals",
  );
  const dependants = key === undefined ? undefined : (signal as unknown as Record<symbol, Set<unknown>>)[key];
  assert.equal(dependants?.size ?? 0, 0);
});
