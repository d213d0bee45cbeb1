import assert from "node:assert/strict";
import { busTest, createStreams, eventually } from "./harness.ts";

const NS_PER_MS = 1_000_000;

busTest("ensure() creates each stream as DESIGN says and may be called again", async ({ bus, streams }) => {
  for (const name of ["TICKS", "CANDLES", "LIVE", "SNAPSHOTS"] as const) {
    await Promise.all([streams.ensure(name), streams.ensure(name)]);
    await streams.ensure(name);
  }
  const config = async (name: string) => (await bus.streams.streams.info(name)).config;
  const ticks = await config("TICKS");
  assert.deepEqual(ticks.subjects, ["ticks.>"]);
  assert.equal(ticks.storage, "memory");
  assert.equal(ticks.discard, "old");
  assert.equal(ticks.max_age, 60_000 * NS_PER_MS);
  assert.equal((await config("CANDLES")).storage, "file");
  assert.equal((await config("SNAPSHOTS")).storage, "file");
  assert.equal((await config("LIVE")).max_msgs_per_subject, 1);
});

busTest(
  "ensure() gives a stream that is there the new limits and keeps its messages",
  async ({ bus, streams }) => {
    await streams.ensure("TICKS");
    await bus.connection.jetstream().publish("ticks.0.sim", "kept");
    await createStreams(bus, 1024 * 1024).ensure("TICKS");
    const { config, state } = await bus.streams.streams.info("TICKS");
    assert.equal(config.max_bytes, 1024 * 1024);
    assert.equal(state.messages, 1);
  },
);

busTest("ensure() names the variable to lower when the server has too little memory", async ({ bus }) => {
  const tooMuch = createStreams(bus, 2 * 1024 ** 4);
  await assert.rejects(tooMuch.ensure("TICKS"), /Cannot set up stream "TICKS".*lower TICK_MAX_BYTES/);
  await assert.rejects(tooMuch.ensure("CANDLES"), /Cannot set up stream "CANDLES".*lower CANDLE_MAX_BYTES/);
  assert.equal(await tooMuch.repair("TICKS"), false);
});

busTest(
  "Streams restores a memory stream after its server has restarted",
  async ({ bus, server, streams }) => {
    await streams.ensure("LIVE");
    server.kill("SIGKILL");
    await server.restart();
    await eventually("the stream LIVE is back", async () => {
      if (!bus.connected) return false;
      return bus.streams.streams.info("LIVE").then(
        () => true,
        () => false,
      );
    });
  },
);
