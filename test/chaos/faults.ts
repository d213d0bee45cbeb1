import { setTimeout as delay } from "node:timers/promises";
import { connect, type JetStreamManager, NatsError } from "nats";
import type { PrivateServer } from "../../src/servers/private_server.ts";
import type { Random } from "../../src/simulator/random.ts";
import type { Crew, Stage } from "./stage.ts";

/** Something that goes wrong. */
export interface FaultKind {
  readonly name: string;
  /** Two faults at a time never have the same one. */
  readonly victim: "nobody" | "worker" | "ingest" | "broker" | "streams" | "influxd" | "venue";
  /** Whether trades can be lost for good: candles at that time may lack some, and must say so. */
  readonly loses: boolean;
  /** How long it lasts, ms; the least and the most. */
  readonly lastsMs: readonly [number, number];
  /** Resolves when the fault is over. */
  inject(stage: Stage, forMs: number, random: Random): Promise<unknown>;
}

const AT_ONCE = [0, 0] as const;
const FREEZE_MS = [500, 6_000] as const;
const OUTAGE_MS = [200, 5_000] as const;
const MANAGE_TIMEOUT_MS = 15_000;

/** `nothing` shows what the measurement itself takes. */
export const FAULTS: readonly FaultKind[] = [
  { name: "nothing", victim: "nobody", loses: false, lastsMs: AT_ONCE, inject: async () => undefined },
  {
    name: "worker killed",
    victim: "worker",
    loses: false,
    lastsMs: AT_ONCE,
    inject: ({ workers }, _forMs, random) => workers.replace(anyOf(workers, random)),
  },
  {
    name: "worker frozen",
    victim: "worker",
    loses: false,
    lastsMs: FREEZE_MS,
    inject: ({ workers }, forMs, random) => freeze(workers.members[anyOf(workers, random)]!, forMs),
  },
  {
    name: "ingest killed",
    victim: "ingest",
    loses: true,
    lastsMs: AT_ONCE,
    inject: ({ ingests }, _forMs, random) => ingests.replace(anyOf(ingests, random)),
  },
  {
    name: "ingest frozen",
    victim: "ingest",
    loses: true,
    lastsMs: FREEZE_MS,
    inject: ({ ingests }, forMs, random) => freeze(ingests.members[anyOf(ingests, random)]!, forMs),
  },
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
  {
    name: "influxd killed",
    victim: "influxd",
    loses: false,
    lastsMs: OUTAGE_MS,
    inject: ({ influxd }, forMs) => killServer(influxd, forMs),
  },
  {
    name: "influxd frozen",
    victim: "influxd",
    loses: false,
    lastsMs: FREEZE_MS,
    inject: ({ influxd }, forMs) => freeze({ send: (signal) => influxd.kill(signal) }, forMs),
  },
  {
    name: "venue cuts off",
    victim: "venue",
    loses: true,
    lastsMs: AT_ONCE,
    inject: async ({ venue }) => venue.server.terminateAll(),
  },
  {
    name: "venue mute",
    victim: "venue",
    loses: true,
    lastsMs: OUTAGE_MS,
    async inject({ venue }, forMs) {
      venue.server.mute(forMs);
      await delay(forMs);
    },
  },
  {
    name: "duplicates",
    victim: "venue",
    loses: false,
    lastsMs: AT_ONCE,
    inject: async ({ venue }) => venue.repeat(500),
  },
];

function anyOf({ members }: Crew, random: Random): number {
  return random.integer(0, members.length - 1);
}

async function freeze(process: { send(signal: NodeJS.Signals): void }, forMs: number): Promise<void> {
  process.send("SIGSTOP");
  await delay(forMs);
  process.send("SIGCONT");
}

async function killServer(server: PrivateServer, forMs: number): Promise<void> {
  server.kill("SIGKILL");
  await delay(forMs);
  await server.restart();
}

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
