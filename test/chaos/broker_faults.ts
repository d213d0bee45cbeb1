import { connect, type JetStreamManager, NatsError } from "nats";
import type { PrivateServer } from "../../src/servers/private_server.ts";
import { AT_ONCE, type FaultKind, FREEZE_MS, freeze, killServer, OUTAGE_MS } from "./fault_kind.ts";

const MANAGE_TIMEOUT_MS = 15_000;

/** What happens to nats-server, and to what it keeps. */
export const BROKER_FAULTS: readonly FaultKind[] = [
  {
    name: "broker killed",
    victim: "broker",
    loses: true,
    lastsMs: OUTAGE_MS,
    inject: ({ nats }, forMs) => killServer(nats, forMs),
  },
  {
    name: "broker frozen",
    victim: "broker",
    loses: true,
    lastsMs: FREEZE_MS,
    inject: ({ nats }, forMs) => freeze({ send: (signal) => nats.kill(signal) }, forMs),
  },
  {
    name: "TICKS deleted",
    victim: "streams",
    loses: true,
    lastsMs: AT_ONCE,
    inject: ({ nats }) => manage(nats, (jetStream) => jetStream.streams.delete("TICKS")),
  },
  {
    name: "consumers deleted",
    victim: "streams",
    loses: false,
    lastsMs: AT_ONCE,
    inject: ({ nats }) => manage(nats, deleteConsumers),
  },
  {
    name: "LIVE deleted",
    victim: "streams",
    loses: false,
    lastsMs: AT_ONCE,
    inject: ({ nats }) => manage(nats, (jetStream) => jetStream.streams.delete("LIVE")),
  },
  {
    name: "SNAPSHOTS deleted",
    victim: "streams",
    loses: false,
    lastsMs: AT_ONCE,
    inject: ({ nats }) => manage(nats, (jetStream) => jetStream.streams.delete("SNAPSHOTS")),
  },
];

/** Does something by hand, once the broker answers; what is not there need not be deleted. */
async function manage(
  { url }: PrivateServer,
  task: (jetStream: JetStreamManager) => Promise<unknown>,
): Promise<void> {
  const connection = await connect({ servers: url, waitOnFirstConnect: true, maxReconnectAttempts: -1 });
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
