import { setTimeout as delay } from "node:timers/promises";
import { type JetStreamManager, NatsError, StorageType } from "nats";
import type { Broker, BrokerUser } from "./broker.ts";
import { AT_ONCE, type FaultKind, FREEZE_MS, freeze, killServer } from "./fault_kind.ts";

const SHORT_OUTAGE_MS = [200, 3_000] as const;
/** Longer than all leases. */
const LONG_OUTAGE_MS = [8_000, 30_000] as const;
const REVOKED_MS = [1_000, 5_000] as const;
/** Leases that are gone are missed when they would have ended. */
const LEASES_LINGER_MS = 6_000;
const MANAGE_TIMEOUT_MS = 15_000;
const FILLING = "FILLING";
const FILLING_MESSAGE_BYTES = 1_000_000;

/** What happens to nats-server. */
const SERVER_FAULTS: readonly FaultKind[] = [
  {
    name: "broker killed",
    promise: "5: back within 1 s; loses at most what was in flight, and says so",
    victim: "broker",
    loses: true,
    lastsMs: SHORT_OUTAGE_MS,
    inject: ({ broker }, forMs) => killServer(broker.server, forMs),
  },
  {
    name: "broker away",
    promise: "5: back within 1 s; no interval without a candle",
    victim: "broker",
    loses: true,
    lastsMs: LONG_OUTAGE_MS,
    inject: ({ broker }, forMs) => killServer(broker.server, forMs),
  },
  {
    name: "broker frozen",
    promise: "4: back within 1 s; what could not be published is counted",
    victim: "broker",
    loses: true,
    lastsMs: FREEZE_MS,
    inject: ({ broker }, forMs) => freeze({ send: (signal) => broker.server.kill(signal) }, forMs),
  },
  {
    name: "broker's memory full",
    promise: "3, 4: back within 1 s; what was refused is counted",
    victim: "broker",
    loses: true,
    lastsMs: REVOKED_MS,
    inject: ({ broker }, forMs) => fillMemory(broker, forMs),
  },
  revocation("ticks refused", {
    promise: "3, 4: back within 1 s; what was refused is counted",
    user: "ingest",
    subject: "ticks.>",
    loses: true,
  }),
  revocation("candles refused", {
    promise: "6: nothing is lost",
    user: "worker",
    subject: "candles.>",
    loses: false,
  }),
];

/** What happens to connections. */
const LINE_FAULTS: readonly FaultKind[] = [
  {
    name: "acks stop",
    promise: "4: the connection is replaced after 3 s",
    victim: "broker",
    loses: true,
    lastsMs: FREEZE_MS,
    async inject({ broker }, forMs) {
      const relay = broker.relayOf("ingest");
      relay.holdAnswers();
      await delay(forMs);
      relay.releaseAnswers();
    },
  },
  {
    name: "ingest disconnected",
    promise: "4: back within 1 s; loses at most what was in flight",
    victim: "ingest",
    loses: true,
    lastsMs: AT_ONCE,
    inject: async ({ broker }, _forMs, random) => broker.relayOf("ingest").cutOne(random),
  },
  {
    name: "worker disconnected",
    promise: "5: back within 1 s; nothing is lost",
    victim: "worker",
    loses: false,
    lastsMs: AT_ONCE,
    inject: async ({ broker }, _forMs, random) => broker.relayOf("worker").cutOne(random),
  },
];

/** What somebody does by hand. */
const DELETIONS: readonly FaultKind[] = [
  deletion("TICKS deleted", {
    promise: "3: back within 1 s; what was lost shows",
    streams: ["TICKS"],
    loses: true,
  }),
  deletion("CANDLES deleted", { promise: "3: back within 1 s", streams: ["CANDLES"], loses: true }),
  deletion("LIVE deleted", { promise: "nothing is lost", streams: ["LIVE"], loses: false }),
  deletion("SNAPSHOTS deleted", {
    promise: "5: nothing is lost, unless the ticks go too before they return",
    streams: ["SNAPSHOTS"],
    loses: false,
  }),
  deletion("LEASES deleted", {
    promise: "5: back within 5 s; 3: what was lost shows",
    streams: ["KV_LEASES"],
    loses: true,
  }),
  deletion("all streams deleted", {
    promise: "5: back within 5 s; 3: what was lost shows",
    streams: ["TICKS", "CANDLES", "LIVE", "SNAPSHOTS", "KV_LEASES"],
    loses: true,
  }),
  {
    name: "consumers deleted",
    promise: "1: back within 1 s; nothing is lost",
    victim: "streams",
    loses: false,
    lastsMs: AT_ONCE,
    inject: ({ broker }) => manage(broker, deleteConsumers),
  },
];

/** What happens to nats-server, to the way there, and to what it keeps. */
export const BROKER_FAULTS: readonly FaultKind[] = [...SERVER_FAULTS, ...LINE_FAULTS, ...DELETIONS];

/** A user may not publish to a subject for a while. */
function revocation(
  name: string,
  {
    promise,
    user,
    subject,
    loses,
  }: Pick<FaultKind, "promise" | "loses"> & { user: BrokerUser; subject: string },
): FaultKind {
  return {
    name,
    promise,
    victim: "broker",
    loses,
    lastsMs: REVOKED_MS,
    async inject({ broker }, forMs) {
      await broker.deny(user, subject);
      await delay(forMs);
      await broker.allowAll();
    },
  };
}

function deletion(
  name: string,
  { promise, streams, loses }: Pick<FaultKind, "promise" | "loses"> & { streams: readonly string[] },
): FaultKind {
  return {
    name,
    promise,
    victim: "streams",
    loses,
    lastsMs: AT_ONCE,
    ...(streams.includes("CANDLES") ? { erases: "stream" } : {}),
    lingersMs: streams.includes("KV_LEASES") ? LEASES_LINGER_MS : 0,
    inject: ({ broker }) =>
      manage(broker, async (jetStream) => {
        // What is not there need not be deleted.
        for (const stream of streams) await jetStream.streams.delete(stream).catch(() => undefined);
      }),
  };
}

/** Does something by hand, once the broker answers. */
async function manage(
  broker: Broker,
  task: (jetStream: JetStreamManager) => Promise<unknown>,
): Promise<void> {
  const connection = await broker.connect();
  try {
    await task(await connection.jetstreamManager({ timeout: MANAGE_TIMEOUT_MS, checkAPI: false }));
  } catch (error) {
    if (!(error instanceof NatsError)) throw error;
  } finally {
    await connection.close();
  }
}

/** Those that read ticks and candles. */
async function deleteConsumers(jetStream: JetStreamManager): Promise<void> {
  for (const stream of ["TICKS", "CANDLES"]) {
    for await (const { name } of jetStream.consumers.list(stream)) {
      // It may have gone by itself in the meantime.
      await jetStream.consumers.delete(stream, name).catch(() => undefined);
    }
  }
}

/** Another stream takes all memory that JetStream may use. */
async function fillMemory(broker: Broker, forMs: number): Promise<void> {
  const connection = await broker.connect();
  try {
    const jetStream = await connection.jetstreamManager({ timeout: MANAGE_TIMEOUT_MS, checkAPI: false });
    await jetStream.streams.add({ name: FILLING, subjects: [FILLING], storage: StorageType.Memory });
    const client = connection.jetstream({ timeout: MANAGE_TIMEOUT_MS });
    const message = new Uint8Array(FILLING_MESSAGE_BYTES);
    for (let hasRoom = true; hasRoom; ) {
      hasRoom = await client.publish(FILLING, message).then(
        () => true,
        () => false,
      );
    }
    await delay(forMs);
    await jetStream.streams.delete(FILLING);
  } finally {
    await connection.close();
  }
}
