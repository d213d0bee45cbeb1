import { z } from "zod";
import type { ReadLife } from "../bus/sequence_ledger.ts";
import type { Account, Lines } from "../observe/account.ts";

/** How far a live publisher has come in the numbering of the ticks of a shard. */
export interface PublisherLife {
  readonly venue: string;
  readonly shard: number;
  readonly epoch: number;
  /** Ticks that it has numbered, whatever became of them. */
  readonly numbered: number;
}

/** How far an actor has read a publisher's life. */
export interface ReaderLife extends ReadLife {
  /** The stage that the ticks come to. */
  readonly stage: TickReader;
  readonly venue: string;
  readonly shard: number;
}

export type TickReader = "kline" | "persist_ticks";

/** What was shed or lost of the ticks of one shard, by cause. */
export interface ShardLosses {
  readonly stage: "publish" | TickReader;
  readonly shard: number;
  readonly lines: Lines;
}

/** All that a process says of what one of its roles did, at one moment: the numbers fit each other. */
export interface RoleAccounts {
  readonly role: "ingest" | "kline" | "persist";
  readonly pid: number;
  /** Names of the actors that run now. */
  readonly running: readonly string[];
  /** From the receipt of a trade's frame until it is in its candle, of the latest seconds. */
  readonly lag?: { readonly p50Ms: number; readonly p99Ms: number } | undefined;
  readonly accounts: readonly Account[];
  readonly publishers: readonly PublisherLife[];
  readonly readers: readonly ReaderLife[];
  readonly losses: readonly ShardLosses[];
}

const lines = z.record(z.string(), z.number());
const stage = z.enum(["publish", "kline", "persist_ticks"]);
const reader = z.enum(["kline", "persist_ticks"]);
const life = { venue: z.string(), shard: z.int(), epoch: z.int() };
const ticks = z.int();

/** What an answer must be to be understood. */
export const roleAccountsSchema: z.ZodType<RoleAccounts> = z.object({
  role: z.enum(["ingest", "kline", "persist"]),
  pid: z.int(),
  running: z.array(z.string()),
  lag: z.object({ p50Ms: z.number(), p99Ms: z.number() }).optional(),
  accounts: z.array(
    z.object({
      stage: z.string(),
      unit: z.enum(["ticks", "candles"]),
      came: lines,
      became: lines,
      beside: lines,
    }),
  ),
  publishers: z.array(z.object({ ...life, numbered: ticks })),
  readers: z.array(z.object({ ...life, stage: reader, from: ticks, taken: ticks, lost: ticks, to: ticks })),
  losses: z.array(z.object({ stage, shard: z.int(), lines })),
});
