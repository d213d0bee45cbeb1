import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { AckPolicy, connect, Events, type NatsConnection, nkeyAuthenticator, StorageType } from "nats";
import { decodeCandle } from "../../src/wire/candle_codec.ts";
import { BadMessageError } from "../../src/wire/tick_message.ts";
import { eventually, natsBinaries } from "../bus/harness.ts";
import { NATS_ROLES, type NatsRole, type SecureNats, startSecureNats } from "./secure_nats.ts";

const ACTORS = "ingest kline persist gateway";

/** Subjects, and the users that may publish to them; `ops` may do everything. */
const PUBLISHERS: Readonly<Record<string, string>> = {
  "ticks.3.binance": "ingest",
  "ticks.3": "",
  "candles.binance.BTC-USDT.1m": "kline",
  "live.binance.BTC-USDT.1m": "kline",
  "snapshots.3.binance.BTC-USDT": "kline",
  "$KV.LEASES.ingest.binance.0123abcd": "ingest",
  "$KV.LEASES.kline.3": "kline",
  "$KV.LEASES.candles": "persist",
  "$KV.LEASES.ticks.3": "persist",
  "tickline.workers": "ingest kline persist",
  "tickline.workers.fa1f2c": "ingest kline persist",
  "tickline.restored": "persist",
  "$JS.API.STREAM.CREATE.TICKS": "ingest kline persist",
  "$JS.API.STREAM.UPDATE.TICKS": "ingest",
  "$JS.API.STREAM.DELETE.TICKS": "",
  "$JS.API.STREAM.PURGE.TICKS": "",
  "$JS.API.STREAM.MSG.GET.TICKS": "",
  "$JS.API.STREAM.MSG.DELETE.TICKS": "",
  "$JS.API.STREAM.SNAPSHOT.TICKS": "",
  "$JS.API.DIRECT.GET.TICKS.ticks.3.binance": "",
  "$JS.API.CONSUMER.CREATE.TICKS": "",
  "$JS.API.CONSUMER.CREATE.TICKS.kline-3.ticks.3.*": "kline persist",
  "$JS.API.CONSUMER.DURABLE.CREATE.TICKS.kline-3": "",
  "$JS.API.CONSUMER.MSG.NEXT.TICKS.kline-3": "kline persist",
  "$JS.API.STREAM.CREATE.CANDLES": "kline persist gateway",
  "$JS.API.STREAM.UPDATE.CANDLES": "kline",
  "$JS.API.STREAM.DELETE.CANDLES": "",
  "$JS.API.STREAM.PURGE.CANDLES": "",
  "$JS.API.DIRECT.GET.CANDLES.candles.binance.BTC-USDT.1m": "gateway",
  "$JS.API.CONSUMER.CREATE.CANDLES.persist.candles.>": "kline persist gateway",
  "$JS.API.CONSUMER.MSG.NEXT.CANDLES.persist": "kline persist gateway",
  "$JS.API.STREAM.UPDATE.LIVE": "kline",
  "$JS.API.CONSUMER.CREATE.LIVE.gateway.live.>": "gateway",
  "$JS.API.CONSUMER.MSG.NEXT.LIVE.gateway": "gateway",
  "$JS.API.STREAM.UPDATE.SNAPSHOTS": "kline",
  "$JS.API.STREAM.MSG.GET.SNAPSHOTS": "kline",
  "$JS.API.STREAM.CREATE.KV_LEASES": "ingest kline persist",
  "$JS.API.STREAM.UPDATE.KV_LEASES": "",
  "$JS.API.CONSUMER.CREATE.KV_LEASES.keys.$KV.LEASES.>": "ingest kline persist",
  "$JS.API.STREAM.DELETE.KV_LEASES": "",
  "$JS.API.STREAM.CREATE.OTHER": "",
  "$JS.API.STREAM.LIST": "inspect",
  "$JS.API.CONSUMER.LIST.TICKS": "inspect",
  "$SRV.PING": "inspect",
  "tickline.status.tickline-kline.ID": "inspect",
  "_INBOX.someone": ACTORS,
  "_INBOX_inspect.someone": ACTORS,
  ...Object.fromEntries(ACTORS.split(" ").map((role) => [`_INBOX_${role}.someone`, ""])),
  "$SYS.REQ.SERVER.PING": "",
  "anything.else": "",
};

/** Subjects, and the users that may subscribe to them. */
const SUBSCRIBERS: Readonly<Record<string, string>> = {
  ">": "",
  "*.>": "",
  "ticks.>": "",
  "candles.>": "",
  "live.>": "",
  "snapshots.>": "",
  "$KV.LEASES.>": "",
  "tickline.workers": "ingest kline persist",
  "tickline.workers.fa1f2c": "ingest kline persist",
  "tickline.restored": "persist",
  "$JS.API.>": "",
  "$JS.EVENT.>": "",
  "_INBOX.>": "",
  "_INBOX*.>": "",
  "$SRV.PING": ACTORS,
  "$SRV.>": "",
  "tickline.status.>": "",
  ...Object.fromEntries([...ACTORS.split(" "), "inspect"].map((role) => [`_INBOX_${role}.>`, role])),
  ...Object.fromEntries(ACTORS.split(" ").map((role) => [`$SRV.STATS.tickline-${role}.ID`, role])),
  ...Object.fromEntries(ACTORS.split(" ").map((role) => [`tickline.status.tickline-${role}.ID`, role])),
};

for (const [index, binary] of natsBinaries().entries()) {
  test(`each user of NATS may do its job and nothing else (server ${index + 1})`, async (t) => {
    const nats = await startSecureNats(t, { binary });
    for (const role of NATS_ROLES) {
      await t.test(role, async (tt) => {
        const allowedTo = (table: typeof PUBLISHERS) =>
          Object.keys(table).filter((subject) => role === "ops" || table[subject]!.split(" ").includes(role));
        const { published, subscribed } = await attempts(await connectAs(tt, nats, role));
        assert.deepEqual(published, allowedTo(PUBLISHERS));
        assert.deepEqual(subscribed, allowedTo(SUBSCRIBERS));
      });
    }
    await t.test("nobody gets in without an nkey, with a foreign one, or without TLS", async () => {
      const { caFile: wanted, url: servers } = nats;
      const tls = { caFile: wanted };
      const once = { servers, reconnect: false, timeout: 10_000 };
      await assert.rejects(connect({ ...once, tls }), { code: "AUTHORIZATION_VIOLATION" });
      await assert.rejects(connect({ ...once, tls, user: "ops", pass: "" }), {
        code: "AUTHORIZATION_VIOLATION",
      });
      const foreign = await startSecureNats(t, { binary });
      const authenticator = nkeyAuthenticator(seedOf(foreign, "ops"));
      await assert.rejects(connect({ ...once, tls, authenticator }), { code: "AUTHORIZATION_VIOLATION" });
      await assert.rejects(connect({ ...once, tls: { caFile: foreign.caFile }, authenticator }));
      await assert.rejects(connect({ ...once, authenticator }));
    });
  });
}

for (const [index, binary] of natsBinaries().entries()) {
  test(`what subjects cannot keep apart forges no candle (server ${index + 1})`, async (t) => {
    const nats = await startSecureNats(t, { binary });
    const ops = await connectAs(t, nats, "ops");
    const { streams } = await ops.jetstreamManager();
    for (const name of ["ticks", "candles", "live"]) {
      const stream = { name: name.toUpperCase(), subjects: [`${name}.>`], storage: StorageType.Memory };
      await streams.add({ ...stream, max_bytes: 1024 * 1024 });
    }
    // Only while somebody subscribes to this very subject does the server send to it at all.
    const seen = ops.subscribe("candles.sim.ETH-USDT.1m", { callback: () => undefined });
    await ops.flush();

    const ingest = await connectAs(t, nats, "ingest");
    ingest.publish("ticks.0.sim", "{}", { reply: "candles.sim.BTC-USDT.1m" });
    await ops.jetstream().publish("live.sim.ETH-USDT.1m", "an open candle");
    const gateway = await connectAs(t, nats, "gateway");
    const manager = await gateway.jetstreamManager({ checkAPI: false });
    const consumer = { name: "forger", ack_policy: AckPolicy.None };
    await manager.consumers.add("LIVE", {
      ...consumer,
      filter_subject: "live.>",
      deliver_subject: "candles.sim.ETH-USDT.1m",
    });
    await assert.rejects(
      manager.consumers.add("CANDLES", {
        ...consumer,
        filter_subject: "candles.>",
        deliver_subject: "candles.sim.ADA-USDT.1m",
      }),
      /forms a cycle/,
    );

    // The open candle reaches who subscribes, and the stream, which keeps it under its own subject: no reader gets it.
    await eventually("the open candle is sent", () => seen.getReceived() === 1);
    const { state } = await streams.info("CANDLES", { subjects_filter: ">" });
    assert.deepEqual(state.subjects, { "candles.sim.BTC-USDT.1m": 1, "live.sim.ETH-USDT.1m": 1 });
    const { data } = await streams.getMessage("CANDLES", { last_by_subj: "candles.sim.BTC-USDT.1m" });
    const key = { venue: "sim", market: "BTC-USDT", interval: "1m" } as const;
    assert.throws(() => decodeCandle(key, data), BadMessageError);
  });
}

function seedOf(nats: SecureNats, role: NatsRole): Uint8Array {
  return Buffer.from(readFileSync(nats.seedFiles[role], "utf8").trim());
}

async function connectAs(t: TestContext, nats: SecureNats, role: NatsRole): Promise<NatsConnection> {
  const connection = await connect({
    servers: nats.url,
    authenticator: nkeyAuthenticator(seedOf(nats, role)),
    tls: { caFile: nats.caFile },
    inboxPrefix: `_INBOX_${role}`,
    reconnect: false,
  });
  t.after(() => connection.close());
  return connection;
}

/** What the server did not refuse of all subjects. */
async function attempts(connection: NatsConnection) {
  const refused = new Set<string>();
  void note(connection, ({ operation, subject }) => refused.add(`${operation} ${subject}`));
  for (const subject of Object.keys(PUBLISHERS)) connection.publish(subject, "{}");
  for (const subject of Object.keys(SUBSCRIBERS))
    connection.subscribe(subject, { callback: () => undefined });
  // The server answers in order, so that all refusals have come before this answer; a turn later they are noted.
  await connection.flush();
  await turn();
  const without = (operation: string, table: typeof PUBLISHERS) =>
    Object.keys(table).filter((subject) => !refused.has(`${operation} ${subject}`));
  return { published: without("publish", PUBLISHERS), subscribed: without("subscription", SUBSCRIBERS) };
}

/** Tells of every refusal, for as long as the process lives: the iterator does not end with its connection. */
async function note(connection: NatsConnection, onRefused: (refused: Refused) => void): Promise<void> {
  for await (const { type, permissionContext } of connection.status()) {
    if (type === Events.Error && permissionContext !== undefined) onRefused(permissionContext);
  }
}

interface Refused {
  readonly operation: string;
  readonly subject: string;
}
