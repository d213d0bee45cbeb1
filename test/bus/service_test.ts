import assert from "node:assert/strict";
import { registerService } from "../../src/bus/service.ts";
import { busTest } from "./harness.ts";

busTest(
  "registerService() makes an actor known to NATS micro until it is taken off",
  async ({ bus, connect }) => {
    const unregister = await registerService(bus, {
      name: "tickline-kline",
      description: "Makes candles of ticks",
      metadata: { shard: "3" },
      status: () => ({ messages: 42 }),
    });
    const observer = await connect();
    const client = observer.connection.services.client({ strategy: "timer" as never, maxWait: 300 });
    const [info, ...others] = await collect(await client.info("tickline-kline"));
    assert.equal(others.length, 0);
    assert.deepEqual(info!.metadata, { shard: "3" });
    const [endpoint] = info!.endpoints;
    assert.equal(endpoint!.name, "status");
    const answer = await observer.connection.request(endpoint!.subject, undefined, { timeout: 2_000 });
    assert.deepEqual(answer.json(), { messages: 42 });
    const [stats] = await collect(await client.stats("tickline-kline"));
    assert.equal(stats!.endpoints![0]!.num_requests, 1);
    await unregister();
    await assert.rejects(async () => collect(await client.info("tickline-kline")), { code: "503" });
  },
);

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of source) all.push(each);
  return all;
}
