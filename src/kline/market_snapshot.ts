import { Decoder, Encoder } from "@msgpack/msgpack";
import { z } from "zod";
import type { Position, Positions } from "../bus/sequence_ledger.ts";
import type { StreamPlace } from "../bus/stream_reader.ts";
import { BadMessageError } from "../wire/tick_message.ts";
import type { EngineSnapshot } from "./candle_engine.ts";
import { savedMarketSchema } from "./saved_state.ts";

/** Version of the snapshot message; another one is of no use. */
const SNAPSHOT_VERSION = 1;

/** How far the tick stream was read. */
export interface TickPlace extends StreamPlace {
  /** When the server stored the last message, ms by its clock. */
  readonly storedMs: number;
}

/** All that a kline actor needs to go on with one market where another life of it was. */
export interface MarketSnapshot {
  /** What the candles were made by: a snapshot of other rules is of no use. */
  readonly rules: string;
  /** When the last message that is in the snapshot was sent, ms by its publisher's clock. */
  readonly sentMs: number;
  /** How long before it was sent the snapshot was taken, ms. */
  readonly ageMs: number;
  /** The last message of each publisher's life that is in the snapshot. */
  readonly positions: Positions;
  readonly engine: EngineSnapshot;
  /** Until where the market's ticks are in the snapshot; absent where it was not known. */
  readonly read?: TickPlace | undefined;
  /** Every market that has ticks until there had a snapshot of its own when this one was taken; absent: none may have. */
  readonly covered?: TickPlace | undefined;
}

const encoder = new Encoder();
const decoder = new Decoder();

const anyTime = z.custom<number>((value) => typeof value === "number");
const count = z.int().min(0);
const place = z.tuple([z.string().max(100), count, z.number()]).nullish();
const schema = z.tuple([
  z.literal(SNAPSHOT_VERSION),
  z.string().max(1_000),
  z.number(),
  z.number().min(0),
  z.array(z.tuple([count, count, count.nullish()])),
  anyTime,
  anyTime,
  savedMarketSchema,
  place.optional(),
  place.optional(),
]);

export function encodeSnapshot(snapshot: MarketSnapshot): Uint8Array {
  const { rules, sentMs, ageMs, positions, engine, read, covered } = snapshot;
  const { clockMs, heardMs, market } = engine;
  const reached = [...positions].map(([epoch, { seq, ticks }]) => [epoch, seq, ticks]);
  const places = [read, covered].map((at) => at && [at.created, at.seq, at.storedMs]);
  return encoder.encode([
    SNAPSHOT_VERSION,
    rules,
    sentMs,
    ageMs,
    reached,
    clockMs,
    heardMs,
    market,
    ...places,
  ]);
}

/**
 * Reads a snapshot.
 *
 * @throws {BadMessageError} if the bytes are not a snapshot of this version
 */
export function decodeSnapshot(data: Uint8Array): MarketSnapshot {
  let value: unknown;
  try {
    value = decoder.decode(data);
  } catch (cause) {
    throw new BadMessageError("msgpack", `Cannot read snapshot: ${(cause as Error).message}`, { cause });
  }
  const result = schema.safeParse(value);
  if (!result.success) {
    const issue = result.error.issues[0];
    throw new BadMessageError(
      "snapshot",
      `Cannot read snapshot: [${issue?.path.join(".")}]: ${issue?.message}`,
    );
  }
  const [, rules, sentMs, ageMs, reached, clockMs, heardMs, market, read, covered] = result.data;
  const positions = new Map<number, Position>(
    reached.map(([epoch, seq, ticks]) => [epoch, { seq, ticks: ticks ?? undefined }]),
  );
  const engine = { clockMs, heardMs, market };
  return { rules, sentMs, ageMs, positions, engine, read: toPlace(read), covered: toPlace(covered) };
}

function toPlace(saved: z.infer<typeof place>): TickPlace | undefined {
  return saved ? { created: saved[0], seq: saved[1], storedMs: saved[2] } : undefined;
}
