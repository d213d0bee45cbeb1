import { setTimeout as delay } from "node:timers/promises";
import { connect, type JetStreamManager } from "nats";
import type { PrivateServer } from "../../src/servers/private_server.ts";
import type { Random } from "../../src/simulator/random.ts";
import type { Crew, Stage } from "./stage.ts";

/** Something that goes wrong. */
export interface FaultKind {
  readonly name: string;
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

/** `nothing` shows what the measurement itself takes. */
export const FAULTS: readonly FaultKind[] = [
  { name: "nothing", loses: false, lastsMs: AT_ONCE, inject: async () => undefined },
  {
    name: "worker killed",
    loses: false,
    lastsMs: AT_ONCE,
    inject: ({ workers }, _forMs, random) => workers.replace(anyOf(workers, random)),
  },
  {
    name: "worker frozen",
    loses: false,
    lastsMs: FREEZE_MS,
    inject: ({ workers }, forMs, random) => freeze(workers.members[anyOf(workers, random)]!, forMs),
  },
  {
    name: "ingest killed",
    loses: true,
    lastsMs: AT_ONCE,
    inject: ({ ingests }, _forMs, random) => ingests.replace(anyOf(ingests, random)),
  },
  {
    name: "ingest frozen",
    loses: true,
    lastsMs: FREEZE_MS,
    inject: ({ ingests }, forMs, random) => freeze(ingests.members[anyOf(ingests, random)]!, forMs),
  },
  {
    name: "broker killed",
    loses: true,
    lastsMs: OUTAGE_MS,
    inject: ({ nats }, forMs) => killServer(nats, forMs),
  },
  {
    name: "broker frozen",
    loses: true,
    lastsMs: FREEZE_MS,
    inject: ({ nats }, forMs) => freeze({ send: (signal) => nats.kill(signal) }, forMs),
  },
  {
    name: "TICKS deleted",
    loses: true,
    lastsMs: AT_ONCE,
    inject: ({ nats }) => manage(nats, (jetStream) => jetStream.streams.delete("TICKS")),
  },
  {
    name: "consumers deleted",
    loses: false,
    lastsMs: AT_ONCE,
    inject: ({ nats }) => manage(nats, deleteConsumers),
  },
  {
    name: "LIVE deleted",
    loses: false,
    lastsMs: AT_ONCE,
    inject: ({ nats }) => manage(nats, (jetStream) => jetStream.streams.delete("LIVE")),
  },
  {
    name: "SNAPSHOTS deleted",
    loses: false,
    lastsMs: AT_ONCE,
    inject: ({ nats }) => manage(nats, (jetStream) => jetStream.streams.delete("SNAPSHOTS")),
  },
  {
    name: "influxd killed",
    loses: false,
    lastsMs: OUTAGE_MS,
    inject: ({ influxd }, forMs) => killServer(influxd, forMs),
  },
  {
    name: "influxd frozen",
    loses: false,
    lastsMs: FREEZE_MS,
    inject: ({ influxd }, forMs) => freeze({ send: (signal) => influxd.kill(signal) }, forMs),
  },
  {
    name: "venue cuts off",
    loses: true,
    lastsMs: AT_ONCE,
    inject: async ({ venue }) => venue.server.terminateAll(),
  },
  {
    name: "venue mute",
    loses: true,
    lastsMs: OUTAGE_MS,
    async inject({ venue }, forMs) {
      venue.server.mute(forMs);
      await delay(forMs);
    },
  },
  {
    name: "duplicates",
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

async function manage(
  { url }: PrivateServer,
  task: (jetStream: JetStreamManager) => Promise<unknown>,
): Promise<void> {
  const connection = await connect({ servers: url });
  try {
    await task(await connection.jetstreamManager());
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
