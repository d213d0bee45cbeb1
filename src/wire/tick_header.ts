import { MsgpackCursor } from "./msgpack_cursor.ts";
import { TICK_WIRE_VERSION } from "./tick_message.ts";

const ELEMENTS = 8;
const BYTES_PER_MARKET = 2;

/** What a tick message says of itself; see `TickMessage`. */
export interface TickHeader {
  readonly epoch: number;
  readonly seq: number;
  readonly sentMs: number;
  readonly venueMs: number;
  /** How many ticks it has. */
  readonly count: number;
  readonly ticksBefore?: number;
}

/**
 * Reads the head of a tick message and counts its ticks, at a small part of what decoding costs; undefined if the
 * bytes are not laid out as such a message. That the ticks are valid is not looked at.
 */
export function readTickHeader(data: Uint8Array): TickHeader | undefined {
  try {
    const cursor = new MsgpackCursor(data);
    const length = cursor.arrayLength();
    if (length < ELEMENTS || cursor.number() !== TICK_WIRE_VERSION) return undefined;
    const epoch = cursor.number();
    const seq = cursor.number();
    const sentMs = cursor.number();
    const venueMs = cursor.number();
    cursor.skip();
    const elements = cursor.arrayLength();
    // Columns, of which the first names each tick's market, or rows.
    const columnBytes = elements === 0 ? undefined : cursor.peekBinaryLength();
    const count = columnBytes === undefined ? elements : columnBytes / BYTES_PER_MARKET;
    const header = { epoch, seq, sentMs, venueMs, count };
    if (length === ELEMENTS) return header;
    for (let values = elements + 1; values > 0; values--) cursor.skip();
    return { ...header, ticksBefore: cursor.number() };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
