import { Decoder, Encoder } from "@msgpack/msgpack";
import { z } from "zod";
import type { Position, Positions } from "../bus/sequence_ledger.ts";
import { BadMessageError } from "../wire/tick_message.ts";
import type { EngineSnapshot } from "./candle_engine.ts";
import { savedMarketSchema } from "./saved_state.ts";

/** Version of the snapshot message; another one is of no use. */
const SNAPSHOT_VERSION = 1;

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
}

const encoder = new Encoder();
const decoder = new Decoder();

const anyTime = z.custom<number>((value) => typeof value === "number");
const count = z.int().min(0);
const schema = z.tuple([
  z.literal(SNAPSHOT_VERSION),
  z.string().max(1_000),
  z.number(),
  z.number().min(0),
  z.array(z.tuple([count, count, count.nullish()])),
  anyTime,
  anyTime,
  savedMarketSchema,
]);

export function encodeSnapshot({ rules, sentMs, ageMs, positions, engine }: MarketSnapshot): Uint8Array {
  const { clockMs, heardMs, market } = engine;
  const reached = [...positions].map(([epoch, { seq, ticks }]) => [epoch, seq, ticks]);
  return encoder.encode([SNAPSHOT_VERSION, rules, sentMs, ageMs, reached, clockMs, heardMs, market]);
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
  const [, rules, sentMs, ageMs, reached, clockMs, heardMs, market] = result.data;
  const positions = new Map<number, Position>(
    reached.map(([epoch, seq, ticks]) => [epoch, { seq, ticks: ticks ?? undefined }]),
  );
  return { rules, sentMs, ageMs, positions, engine: { clockMs, heardMs, market } };
}
