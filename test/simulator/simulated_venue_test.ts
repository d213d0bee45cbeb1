import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMarket } from "../../src/market/market.ts";
import { startSimulatedVenue } from "../../src/simulator/simulated_venue.ts";
import { eventually } from "../bus/harness.ts";
import { PlainClient } from "./plain_client.ts";

const markets = ["sim:BTC-USDT", "sim:ETH-USDT"].map((name) => parseMarket(name));
const options = { markets, seed: 1, ticksPerSecond: 2_000 };

async function firstIds(count: number): Promise<number[]> {
  const venue = await startSimulatedVenue(options);
  try {
    const client = await PlainClient.open(`${venue.server.url}/stream?streams=btcusdt@trade/ethusdt@trade`);
    await eventually("trades come", () => client.frames.length >= count);
    assert.ok(venue.trades >= count);
    client.socket.terminate();
    const events = client.frames.map((text) => JSON.parse(text) as { stream: string; data: { t: number } });
    for (const { stream } of markets.map(({ base }) => ({ stream: `${base.toLowerCase()}usdt@trade` }))) {
      const ids = events.filter((event) => event.stream === stream).map(({ data }) => data.t);
      assert.ok(ids.length > 0, stream);
      assert.ok(
        ids.every((id, i) => i === 0 || id === ids[i - 1]! + 1),
        `ids of ${stream} are not consecutive`,
      );
    }
    return events.map(({ data }) => data.t);
  } finally {
    await venue.stop();
  }
}

test("startSimulatedVenue() trades its markets, and goes on with higher ids when started again", async () => {
  const before = await firstIds(500);
  const after = await firstIds(500);
  assert.ok(after[0]! > Math.max(...before));
  assert.ok(after.every((id) => Number.isSafeInteger(id)));
});

test("startSimulatedVenue() counts only what somebody listens to, and lets a market be silent", async () => {
  const venue = await startSimulatedVenue({ ...options, ticksPerSecond: 0 });
  const client = await PlainClient.open(`${venue.server.url}/ws/btcusdt@trade`);
  const list = { method: "LIST_SUBSCRIPTIONS", id: 1 };
  assert.deepEqual(await client.request(list), { result: ["btcusdt@trade"], id: 1 });
  assert.equal(venue.trades, 0);
  await venue.stop();
  await eventually("its clients are cut off", () => client.closed !== undefined);
});
