import { TickBuffer } from "../market/tick_buffer.ts";
import { MarketNames } from "./market_names.ts";
import { MsgpackCursor } from "./msgpack_cursor.ts";
import { readTickHeader } from "./tick_header.ts";
import { BadMessageError, TICK_WIRE_VERSION, type TickMessage } from "./tick_message.ts";

/** Most ticks that a message may carry; a publisher flushes far below it. */
export const MAX_TICKS_PER_MESSAGE = 8192;

const US_PER_MS = 1000;
const FAR_FUTURE_MS = 8.64e15;
const MAX_DECIMALS = 22;
const MAX_DOWN = 65_536;
/** Elements of the envelope, the last of which may be absent, of a market, of a row, and of columns. */
const ELEMENTS = 9;
const MARKET_ELEMENTS = 3;
const ROW_ELEMENTS = 7;
const COLUMNS = 9;

/** The parts of a message, by which bad ones are counted; `tick` is a tick whose values cannot be. */
type Part = "envelope" | "markets" | "rows" | "columns" | "tick";

export interface TickDecoderOptions {
  /**
   * Of messages with ticks that were sent longer ago, ms, only the head is read: a reader that is too slow for the
   * stream passes over them so much faster that it catches up. 0: of none; see `TICK_MAX_LAG`. @default 0
   */
  readonly maxAgeMs?: number;
}

/**
 * Reads messages of the `TICKS` stream. The ticks of a decoded message are valid until the next `decode`, because
 * the columns are reused.
 */
export class TickDecoder {
  readonly #names = new MarketNames();
  readonly #ticks = new TickBuffer(MAX_TICKS_PER_MESSAGE);
  readonly #timeOffset = new Int32Array(MAX_TICKS_PER_MESSAGE);
  readonly #receivedOffset = new Uint32Array(MAX_TICKS_PER_MESSAGE);
  readonly #maxAgeMs: number;
  /** The part that is being read. */
  #part: Part = "envelope";

  constructor({ maxAgeMs = 0 }: TickDecoderOptions = {}) {
    this.#maxAgeMs = maxAgeMs;
  }

  /** @throws {BadMessageError} if the bytes are not a tick message of this version */
  decode(data: Uint8Array): TickMessage {
    return (this.#maxAgeMs > 0 && this.#passOver(data)) || this.#read(data);
  }

  /** The head of a message that is too old; undefined if it is to be read, or holds nothing that could be old. */
  #passOver(data: Uint8Array): TickMessage | undefined {
    const header = readTickHeader(data);
    if (header === undefined || header.count === 0 || header.count > MAX_TICKS_PER_MESSAGE) return undefined;
    const { count, ...head } = header;
    if (Date.now() - head.sentMs <= this.#maxAgeMs) return undefined;
    this.#ticks.clear();
    this.#ticks.length = count;
    return { ...head, ticks: this.#ticks, down: [], isStale: true };
  }

  #read(data: Uint8Array): TickMessage {
    const cursor = new MsgpackCursor(data);
    this.#part = "envelope";
    this.#ticks.clear();
    try {
      const elements = cursor.arrayLength();
      this.#check(elements === ELEMENTS || elements === ELEMENTS - 1, "number of elements", elements);
      const version = cursor.number();
      this.#check(version === TICK_WIRE_VERSION, "version", version);
      const epoch = this.#count(cursor, "epoch", 1);
      const seq = this.#count(cursor, "seq", 1);
      const sentMs = this.#time(cursor, "sentMs");
      const venueMs = this.#time(cursor, "venueMs");
      this.#readMarkets(cursor, data);
      this.#readTicks(cursor);
      this.#part = "envelope";
      const down = this.#readDown(cursor, data);
      const ticksBefore = elements === ELEMENTS ? this.#count(cursor, "ticksBefore", 0) : undefined;
      this.#check(cursor.at === data.length, "bytes after its end", data.length - cursor.at);
      return { epoch, seq, sentMs, venueMs, ticks: this.#ticks, down, ticksBefore };
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      const message = `Cannot read tick message: ${this.#part} at byte ${cursor.at}: ${cause.message}`;
      throw new BadMessageError(this.#part, message, { cause });
    }
  }

  #readMarkets(cursor: MsgpackCursor, data: Uint8Array): void {
    this.#part = "markets";
    const count = cursor.arrayLength();
    this.#check(count <= MAX_TICKS_PER_MESSAGE, "number of markets", count);
    for (let index = 0; index < count; index++) {
      const elements = cursor.arrayLength();
      this.#check(elements === MARKET_ELEMENTS, "number of elements", elements);
      const name = this.#name(cursor, data);
      const priceDecimals = this.#decimals(cursor, "priceDecimals");
      const quantityDecimals = this.#decimals(cursor, "quantityDecimals");
      const isNew = this.#ticks.indexOf(name, priceDecimals, quantityDecimals) === index;
      this.#check(isNew, "market that is listed twice", name);
    }
  }

  #readTicks(cursor: MsgpackCursor): void {
    this.#part = "rows";
    const elements = cursor.arrayLength();
    if (elements > 0 && cursor.peekBinaryLength() !== undefined) this.#readColumns(cursor, elements);
    else this.#readRows(cursor, elements);
    this.#checkTicks();
  }

  #readRows(cursor: MsgpackCursor, count: number): void {
    this.#check(count <= MAX_TICKS_PER_MESSAGE, "number of ticks", count);
    const ticks = this.#ticks;
    for (let i = 0; i < count; i++) {
      const elements = cursor.arrayLength();
      this.#check(elements === ROW_ELEMENTS, "number of elements", elements);
      ticks.market[i] = narrow(cursor.number(), 0xffff);
      ticks.id[i] = cursor.number();
      ticks.price[i] = cursor.number();
      ticks.quantity[i] = cursor.number();
      ticks.buy[i] = narrow(cursor.number(), 0xff);
      ticks.timeMs[i] = cursor.number();
      ticks.receivedMs[i] = cursor.number();
    }
    ticks.length = count;
  }

  #readColumns(cursor: MsgpackCursor, elements: number): void {
    this.#part = "columns";
    this.#check(elements === COLUMNS, "number of elements", elements);
    const ticks = this.#ticks;
    const market = cursor.binary();
    const length = market.length / ticks.market.BYTES_PER_ELEMENT;
    this.#check(length <= MAX_TICKS_PER_MESSAGE, "number of ticks", length);
    this.#copy(market, ticks.market, length);
    this.#copy(cursor.binary(), ticks.id, length);
    this.#copy(cursor.binary(), ticks.price, length);
    this.#copy(cursor.binary(), ticks.quantity, length);
    this.#copy(cursor.binary(), ticks.buy, length);
    const baseTimeMs = cursor.number();
    this.#copy(cursor.binary(), this.#timeOffset, length);
    const baseReceivedUs = cursor.number();
    this.#copy(cursor.binary(), this.#receivedOffset, length);
    for (let i = 0; i < length; i++) {
      ticks.timeMs[i] = baseTimeMs + this.#timeOffset[i]!;
      ticks.receivedMs[i] = (baseReceivedUs + this.#receivedOffset[i]!) / US_PER_MS;
    }
    ticks.length = length;
  }

  #readDown(cursor: MsgpackCursor, data: Uint8Array): readonly string[] {
    const count = cursor.arrayLength();
    this.#check(count <= MAX_DOWN, "number of markets that are down", count);
    return Array.from({ length: count }, () => this.#name(cursor, data));
  }

  #checkTicks(): void {
    this.#part = "tick";
    const { length, markets, market, id, price, quantity, buy, timeMs, receivedMs } = this.#ticks;
    for (let i = 0; i < length; i++) {
      const good =
        market[i]! < markets.length &&
        Number.isSafeInteger(id[i]) &&
        price[i]! > 0 &&
        price[i]! < Number.POSITIVE_INFINITY &&
        quantity[i]! > 0 &&
        quantity[i]! < Number.POSITIVE_INFINITY &&
        buy[i]! <= 1 &&
        Math.abs(timeMs[i]!) <= FAR_FUTURE_MS &&
        Math.abs(receivedMs[i]!) <= FAR_FUTURE_MS;
      if (good) continue;
      throw new RangeError(
        `tick ${i} is not valid (market ${market[i]}, id ${id[i]}, price ${price[i]}, quantity ${quantity[i]}, ` +
          `buy ${buy[i]}, timeMs ${timeMs[i]}, receivedMs ${receivedMs[i]})`,
      );
    }
  }

  /** A whole number. */
  #count(cursor: MsgpackCursor, field: string, min: 0 | 1): number {
    const value = cursor.number();
    this.#check(Number.isSafeInteger(value) && value >= min, field, value);
    return value;
  }

  #time(cursor: MsgpackCursor, field: string): number {
    const value = cursor.number();
    this.#check(Math.abs(value) <= FAR_FUTURE_MS, field, value);
    return value;
  }

  #decimals(cursor: MsgpackCursor, field: string): number {
    const value = this.#count(cursor, field, 0);
    this.#check(value <= MAX_DECIMALS, field, value);
    return value;
  }

  #name(cursor: MsgpackCursor, data: Uint8Array): string {
    const length = cursor.passString();
    const name = this.#names.read(data, cursor.at - length, cursor.at);
    if (name === undefined) throw new RangeError(`${length} letters are not the name of a market`);
    return name;
  }

  /** Copies a little-endian column out of the message: it lies unaligned in a chunk that the bus reuses. */
  #copy(from: Uint8Array, to: Column, length: number): void {
    this.#check(from.length === length * to.BYTES_PER_ELEMENT, "bytes of a column", from.length);
    new Uint8Array(to.buffer, to.byteOffset, from.length).set(from);
  }

  #check(good: boolean, field: string, value: number | string): void {
    if (!good) throw new RangeError(`${field} is ${value}`);
  }
}

type Column = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array;

/** What fits an integer column; anything else becomes its greatest value, where the column would wrap it round. */
function narrow(value: number, max: number): number {
  return Number.isInteger(value) && value >= 0 && value < max ? value : max;
}
