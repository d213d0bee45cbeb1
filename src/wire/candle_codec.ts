import { Decoder, Encoder } from "@msgpack/msgpack";
import { z } from "zod";
import type { Candle } from "../market/candle.ts";
import { BadMessageError } from "./tick_message.ts";

/** Version of the candle message; a reader refuses any other. */
export const CANDLE_WIRE_VERSION = 1;

/** A candle as it was published, with the fencing token of who published it: of a shard's owners the greatest is right. */
export interface PublishedCandle extends Candle {
  /** 0 where a shard has a fixed owner. */
  readonly token: number;
}

/** What the subject of a candle message says, so that the message need not repeat it. */
export type CandleKey = Pick<Candle, "venue" | "market" | "interval">;

const encoder = new Encoder();
const decoder = new Decoder();

const decimal = z.string().regex(/^\d{1,60}(\.\d{1,60})?$/);
const count = z.int().min(0);
/** What venues number trades with; nothing that a line of InfluxDB would have to escape. */
const id = z.string().regex(/^[\w.:-]{0,64}$/);
const schema = z.tuple([
  z.literal(CANDLE_WIRE_VERSION),
  z.int(),
  z.int(),
  decimal,
  decimal,
  decimal,
  decimal,
  decimal,
  decimal,
  decimal,
  decimal,
  count,
  id,
  id,
  count,
  count,
  count,
  z.boolean(),
  count,
]);

/** The msgpack bytes of a candle, for `CANDLES` and `LIVE`; the shape is described in `README.md` beside this file. */
export function encodeCandle(candle: Candle, token = 0): Uint8Array<ArrayBuffer> {
  return encoder.encode([
    CANDLE_WIRE_VERSION,
    candle.openMs,
    candle.endMs,
    candle.open,
    candle.high,
    candle.low,
    candle.close,
    candle.volume,
    candle.quoteVolume,
    candle.buyVolume,
    candle.buyQuoteVolume,
    candle.trades,
    candle.firstId,
    candle.lastId,
    candle.missing,
    candle.late,
    candle.revision,
    candle.complete,
    token,
  ]);
}

/**
 * Reads a candle message.
 *
 * @throws {BadMessageError} if the bytes are not a candle message of this version
 */
export function decodeCandle({ venue, market, interval }: CandleKey, data: Uint8Array): PublishedCandle {
  let value: unknown;
  try {
    value = decoder.decode(data);
  } catch (cause) {
    throw new BadMessageError("msgpack", `Cannot read candle message: ${(cause as Error).message}`, {
      cause,
    });
  }
  const result = schema.safeParse(value);
  if (!result.success) {
    const issue = result.error.issues[0];
    throw new BadMessageError(
      "candle",
      `Cannot read candle message: field ${issue?.path.join(".")}: ${issue?.message}`,
    );
  }
  const [
    ,
    openMs,
    endMs,
    open,
    high,
    low,
    close,
    volume,
    quoteVolume,
    buyVolume,
    buyQuoteVolume,
    trades,
    firstId,
    lastId,
    missing,
    late,
    revision,
    complete,
    token,
  ] = result.data;
  return {
    venue,
    market,
    interval,
    openMs,
    endMs,
    open,
    high,
    low,
    close,
    volume,
    quoteVolume,
    buyVolume,
    buyQuoteVolume,
    trades,
    firstId,
    lastId,
    missing,
    late,
    revision,
    complete,
    token,
  };
}
