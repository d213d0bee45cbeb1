import { Encoder } from "@msgpack/msgpack";
import type { TickBatch } from "../market/tick.ts";
import { TICK_WIRE_VERSION, type TickMessage, toWireMarkets } from "./tick_message.ts";

/** Up to this many ticks rows are smaller and faster than columns. */
const MAX_ROWS = 8;
const INT32_MAX = 2 ** 31 - 1;
const UINT32_MAX = 2 ** 32 - 1;
const US_PER_MS = 1000;

/** Turns tick messages into msgpack bytes. One encoder is reused for all messages of a publisher. */
export class TickEncoder {
  readonly #encoder = new Encoder();
  #timeOffset = new Int32Array(0);
  #receivedOffset = new Uint32Array(0);

  /** The bytes of a message; they are the caller's to keep. */
  encode({ epoch, seq, sentMs, venueMs, ticks, down, ticksBefore }: TickMessage): Uint8Array<ArrayBuffer> {
    const body = ticks.length > MAX_ROWS ? (this.#columns(ticks) ?? rows(ticks)) : rows(ticks);
    const message = [
      TICK_WIRE_VERSION,
      epoch,
      seq,
      sentMs,
      venueMs,
      toWireMarkets(ticks.markets),
      body,
      down,
    ];
    if (ticksBefore !== undefined) message.push(ticksBefore);
    return this.#encoder.encode(message);
  }

  /** Columns of offsets from the first tick's times, or undefined where an offset does not fit. */
  #columns(ticks: TickBatch): unknown[] | undefined {
    const count = ticks.length;
    if (this.#timeOffset.length < count) {
      this.#timeOffset = new Int32Array(count);
      this.#receivedOffset = new Uint32Array(count);
    }
    const baseTimeMs = ticks.timeMs[0]!;
    const baseReceivedUs = Math.round(ticks.receivedMs[0]! * US_PER_MS);
    for (let i = 0; i < count; i++) {
      const timeOffset = ticks.timeMs[i]! - baseTimeMs;
      const receivedOffset = Math.round(ticks.receivedMs[i]! * US_PER_MS) - baseReceivedUs;
      if (Math.abs(timeOffset) > INT32_MAX || receivedOffset < 0 || receivedOffset > UINT32_MAX)
        return undefined;
      this.#timeOffset[i] = timeOffset;
      this.#receivedOffset[i] = receivedOffset;
    }
    return [
      bytes(ticks.market, count),
      bytes(ticks.id, count),
      bytes(ticks.price, count),
      bytes(ticks.quantity, count),
      bytes(ticks.buy, count),
      baseTimeMs,
      bytes(this.#timeOffset, count),
      baseReceivedUs,
      bytes(this.#receivedOffset, count),
    ];
  }
}

function rows(ticks: TickBatch): unknown[] {
  const out: unknown[] = [];
  for (let i = 0; i < ticks.length; i++) {
    out.push([
      ticks.market[i],
      ticks.id[i],
      ticks.price[i],
      ticks.quantity[i],
      ticks.buy[i],
      ticks.timeMs[i],
      ticks.receivedMs[i],
    ]);
  }
  return out;
}

type Column = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array;

function bytes(column: Column, count: number): Uint8Array {
  return new Uint8Array(column.buffer, column.byteOffset, count * column.BYTES_PER_ELEMENT);
}
