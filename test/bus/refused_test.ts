import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { pino } from "pino";
import { busTest, createStreams, eventually } from "./harness.ts";

/** A reader that may create a stream, but not change one. */
const READER = { user: "reader", password: "r", inboxPrefix: "_INBOX_reader" };
const USERS = `
accounts { MARKET { jetstream: enabled, users: [
  { user: owner, password: o }
  { user: reader, password: r, permissions: {
    publish: ["$JS.API.STREAM.CREATE.TICKS", "$JS.API.STREAM.INFO.TICKS"], subscribe: "_INBOX_reader.>"
  } }
] } }
no_auth_user: owner
`;

function createLogbook() {
  const lines: Record<string, unknown>[] = [];
  const book = new Writable({
    write(line, _, done) {
      lines.push(JSON.parse(String(line)));
      done();
    },
  });
  return { log: pino({ base: null }, book), lines };
}

busTest(
  "Bus names the subject that the server refuses",
  async ({ connect }) => {
    const { log, lines } = createLogbook();
    const bus = await connect({ ...READER, log });
    bus.connection.publish("candles.sim.BTC-USDT.1m");
    await eventually("the refusal is logged", () => lines.length > 0);
    assert.equal(lines[0]!.error, "PERMISSIONS_VIOLATION publish candles.sim.BTC-USDT.1m");
    assert.equal(bus.events.get("error"), 1);
  },
  { extraConfig: USERS },
);

busTest(
  "ensure() takes a stream as it is when this user may not change it, and says so once",
  async ({ connect, streams, bus }) => {
    await streams.ensure("TICKS");
    const { log, lines } = createLogbook();
    const reader = createStreams(await connect({ ...READER, log }), 1024 * 1024);
    await reader.ensure("TICKS");
    await reader.ensure("TICKS");
    const kept = lines.filter(({ stream }) => stream === "TICKS");
    assert.deepEqual(
      kept.map(({ msg }) => msg),
      ["stream has other limits than configured here, and stays as it is"],
    );
    const { config } = await bus.streams.streams.info("TICKS");
    assert.equal(config.max_bytes, 16 * 1024 * 1024);
    await assert.rejects(reader.ensure("LIVE"), /Cannot set up stream "LIVE"/);
  },
  { extraConfig: USERS },
);
