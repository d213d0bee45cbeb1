import type { Bus } from "../bus/connection.ts";
import { type ReadBackOptions, readBack } from "../bus/stream_reader.ts";
import { storedMsOf } from "../bus/stream_sequence.ts";
import { parseCandleSubject } from "../bus/subject.ts";
import { type CandleKey, decodeCandle, type PublishedCandle } from "../wire/candle_codec.ts";
import { BadMessageError } from "../wire/tick_message.ts";

/** A candle in the stream. */
export interface Published {
  readonly candle: PublishedCandle;
  /** When the server stored it, ms by its clock. */
  readonly storedMs: number;
}

export interface ReadCandlesOptions extends Omit<ReadBackOptions, "stream"> {
  /** @default all are wanted */
  isWanted?(key: CandleKey): boolean;
}

/**
 * Reads candles that were published. What is none is left out: whoever reads the stream for its own sake counts and
 * reports it.
 *
 * @throws {PullError} if the server or the stream is lost meanwhile
 */
export async function* readCandles(
  bus: Bus,
  { isWanted, ...options }: ReadCandlesOptions,
): AsyncGenerator<Published> {
  for await (const { subject, data, reply } of readBack(bus, { ...options, stream: "CANDLES" })) {
    try {
      const key = parseCandleSubject(subject);
      if (isWanted !== undefined && !isWanted(key)) continue;
      yield { candle: decodeCandle(key, data), storedMs: storedMsOf(reply) };
    } catch (error) {
      if (!(error instanceof BadMessageError || error instanceof SyntaxError)) throw error;
    }
  }
}
