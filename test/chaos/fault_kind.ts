import { setTimeout as delay } from "node:timers/promises";
import type { PrivateServer } from "../../src/servers/private_server.ts";
import type { Random } from "../../src/simulator/random.ts";
import type { Stage } from "./stage.ts";

/** Something that goes wrong. */
export interface FaultKind {
  readonly name: string;
  /** What is promised of it, with the number of the guarantee (DESIGN, section 8). */
  readonly promise: string;
  /** Two faults at a time never have the same one. */
  readonly victim: "nobody" | "worker" | "ingest" | "broker" | "streams" | "influxd" | "venue";
  /** Whether trades can be lost for good: candles at that time may lack some, and must say so. */
  readonly loses: boolean;
  /** What of the stored candles is gone after it: those in the stream, or those in the database. @default neither */
  readonly erases?: "stream" | "database";
  /** How long it lasts, ms; the least and the most. */
  readonly lastsMs: readonly [number, number];
  /** Its consequences may come so long after its end, ms. @default 0 */
  readonly lingersMs?: number;
  /** Resolves when the fault is over. */
  inject(stage: Stage, forMs: number, random: Random): Promise<unknown>;
}

export const AT_ONCE = [0, 0] as const;
export const FREEZE_MS = [500, 6_000] as const;
export const OUTAGE_MS = [200, 5_000] as const;

/** Stops a process where it is, and lets it go on later. */
export async function freeze(process: { send(signal: NodeJS.Signals): void }, forMs: number): Promise<void> {
  process.send("SIGSTOP");
  await delay(forMs);
  process.send("SIGCONT");
}

/** Kills a server, and starts it again later. */
export async function killServer(server: PrivateServer, forMs: number): Promise<void> {
  server.kill("SIGKILL");
  await delay(forMs);
  await server.restart();
}
