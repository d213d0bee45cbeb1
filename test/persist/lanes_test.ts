import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request as forward } from "node:http";
import type { AddressInfo } from "node:net";
import { candleSubject, tickSubject } from "../../src/bus/subject.ts";
import { CandlePersistActor } from "../../src/persist/candle_persist.ts";
import { TickPersistActor } from "../../src/persist/tick_persist.ts";
import { encodeCandle } from "../../src/wire/candle_codec.ts";
import { TickEncoder } from "../../src/wire/tick_encoder.ts";
import { eventually } from "../bus/harness.ts";
import { candle, tickBatch } from "../store/stored_values.ts";
import { persistTest } from "./harness.ts";

/** A proxy before influxd that refuses the writes to one policy while it is told to. */
async function startProxy(url: string) {
  let refused: string | undefined;
  const server = createServer((incoming, response) => {
    const target = new URL(incoming.url!, url);
    if (target.searchParams.get("rp") === refused) {
      incoming.resume().once("end", () => response.writeHead(503).end());
      return;
    }
    const outgoing = forward(target, { method: incoming.method, headers: incoming.headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    outgoing.once("error", () => response.destroy());
    incoming.pipe(outgoing);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    refuse: (policy: string | undefined) => {
      refused = policy;
    },
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

persistTest("candles are stored at once while ticks are stuck, and those are stored later", async (t) => {
  const proxy = await startProxy(t.influxd.url);
  const target = { url: proxy.url, database: "market" };
  const candleLane = t.openLane({ retentionPolicy: "candles", target });
  const tickLane = t.openLane({ retentionPolicy: "ticks", target, inFlight: 2, maxLines: 500 });
  const shared = {
    bus: t.bus,
    streams: t.streams,
    consumerExpiryMs: 10_000,
    permissions: { net: [], env: [] },
    log: t.log,
  };
  const ticks = new TickPersistActor({ ...shared, shard: 0, tickMaxLagMs: 0, lane: tickLane });
  const candles = new CandlePersistActor({
    ...shared,
    ownedShards: new Set([0]),
    shards: 1,
    lane: candleLane,
  });
  t.start(ticks);
  t.start(candles);
  try {
    proxy.refuse("ticks");
    const encoder = new TickEncoder();
    const tick = { market: "BTC-USDT", price: 1, quantity: 1, side: "buy", timeMs: candle.openMs } as const;
    for (let seq = 1; seq <= 100; seq++) {
      const batch = tickBatch(Array.from({ length: 100 }, (_, i) => ({ ...tick, id: seq * 100 + i })));
      const message = { epoch: 1, seq, sentMs: Date.now(), venueMs: tick.timeMs, ticks: batch, down: [] };
      t.bus.connection.publish(tickSubject(0, "binance"), encoder.encode(message));
    }
    await eventually("ticks are stuck", () => tickLane.retries.get("status_503") >= 3);
    // What waits and a batch more, and what two requests took.
    assert.ok(tickLane.pending <= 3 * 600, `${tickLane.pending} ticks are held`);
    for (let i = 0; i < 20; i++) {
      const message = encodeCandle({ ...candle, openMs: candle.openMs + i * 60_000 });
      const startMs = performance.now();
      t.bus.connection.publish(candleSubject(candle), message);
      await eventually("the candle is stored", () => candleLane.lines.get("stored") === i + 1, 2_000);
      assert.ok(performance.now() - startMs < 2_000);
    }
    assert.equal(tickLane.lines.get("stored"), 0);
    assert.equal(candleLane.retries.total, 0);
    proxy.refuse(undefined);
    await eventually("ticks are stored", () => tickLane.lines.get("stored") === 10_000);
    const [row] = await t.rows('SELECT count("id") FROM ticks.ticks');
    assert.equal(row?.count, 10_000);
    assert.equal(ticks.status().lostBatches, 0);
  } finally {
    proxy.stop();
  }
});
