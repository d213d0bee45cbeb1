import { Decoder } from "@msgpack/msgpack";
import { z } from "zod";
import { TickBuffer } from "../market/tick_buffer.ts";
import { readTickHeader } from "./tick_header.ts";
import { BadMessageError, TICK_WIRE_VERSION, type TickMessage } from "./tick_message.ts";

/** Most ticks that a message may carry; a publisher flushes far below it. */
export const MAX_TICKS_PER_MESSAGE = 8192;

const US_PER_MS = 1000;
const FAR_FUTURE_MS = 8.64e15;

const marketName = z.string().regex(/^[A-Z0-9]{1,20}(-[A-Z0-9]{1,20}){1,4}$/);
const decimals = z.int().min(0).max(22);
const positive = z.number().positive();
const time = z.number().min(-FAR_FUTURE_MS).max(FAR_FUTURE_MS);
const bin = z.instanceof(Uint8Array);
const count = z.int().positive();

const rowsSchema = z
  .array(z.tuple([z.int(), z.int(), positive, positive, z.union([z.literal(0), z.literal(1)]), time, time]))
  .max(MAX_TICKS_PER_MESSAGE);
const columnsSchema = z.tuple([bin, bin, bin, bin, bin, time, bin, z.number(), bin]);
const messageSchema = z.tuple([
  z.literal(TICK_WIRE_VERSION),
  count,
  count,
  time,
  time,
  z.array(z.tuple([marketName, decimals, decimals])).max(MAX_TICKS_PER_MESSAGE),
  z.array(z.unknown()).max(MAX_TICKS_PER_MESSAGE),
  z.array(marketName).max(65_536),
  z.int().min(0).optional(),
]);

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
  readonly #decoder = new Decoder();
  readonly #ticks = new TickBuffer(MAX_TICKS_PER_MESSAGE);
  readonly #timeOffset = new Int32Array(MAX_TICKS_PER_MESSAGE);
  readonly #receivedOffset = new Uint32Array(MAX_TICKS_PER_MESSAGE);
  readonly #maxAgeMs: number;

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
    const [, epoch, seq, sentMs, venueMs, markets, body, down, ticksBefore] = this.#envelope(data);
    const ticks = this.#ticks;
    ticks.clear();
    for (const [index, [name, priceDecimals, quantityDecimals]] of markets.entries()) {
      if (ticks.indexOf(name, priceDecimals, quantityDecimals) !== index) {
        throw new BadMessageError("markets", `Cannot read tick message: market "${name}" is listed twice`);
      }
    }
    if (body[0] instanceof Uint8Array) this.#readColumns(body);
    else this.#readRows(body);
    this.#checkTicks();
    return { epoch, seq, sentMs, venueMs, ticks, down, ticksBefore };
  }

  #envelope(data: Uint8Array): z.infer<typeof messageSchema> {
    let value: unknown;
    try {
      value = this.#decoder.decode(data);
    } catch (cause) {
      throw new BadMessageError("msgpack", `Cannot read tick message: ${(cause as Error).message}`, {
        cause,
      });
    }
    return parse(messageSchema, value, "envelope");
  }

  #readRows(body: unknown[]): void {
    const ticks = this.#ticks;
    for (const [market, id, price, quantity, buy, timeMs, receivedMs] of parse(rowsSchema, body, "rows")) {
      const i = ticks.length++;
      // A Uint16Array would wrap a large index round into a valid one.
      ticks.market[i] = Math.max(0, Math.min(market, 0xffff));
      ticks.id[i] = id;
      ticks.price[i] = price;
      ticks.quantity[i] = quantity;
      ticks.buy[i] = buy;
      ticks.timeMs[i] = timeMs;
      ticks.receivedMs[i] = receivedMs;
    }
  }

  #readColumns(body: unknown[]): void {
    const columns = parse(columnsSchema, body, "columns");
    const [market, id, price, quantity, buy, baseTimeMs, timeOffset, baseReceivedUs, receivedOffset] =
      columns;
    const length = buy.length;
    if (length > MAX_TICKS_PER_MESSAGE) {
      throw new BadMessageError("columns", `Cannot read tick message: ${length} ticks are too many`);
    }
    const ticks = this.#ticks;
    ticks.length = length;
    copy(market, ticks.market, length);
    copy(id, ticks.id, length);
    copy(price, ticks.price, length);
    copy(quantity, ticks.quantity, length);
    copy(buy, ticks.buy, length);
    copy(timeOffset, this.#timeOffset, length);
    copy(receivedOffset, this.#receivedOffset, length);
    for (let i = 0; i < length; i++) {
      ticks.timeMs[i] = baseTimeMs + this.#timeOffset[i]!;
      ticks.receivedMs[i] = (baseReceivedUs + this.#receivedOffset[i]!) / US_PER_MS;
    }
  }

  #checkTicks(): void {
    const { length, markets, market, id, price, quantity, buy } = this.#ticks;
    for (let i = 0; i < length; i++) {
      const good =
        market[i]! < markets.length &&
        Number.isSafeInteger(id[i]) &&
        price[i]! > 0 &&
        price[i]! < Number.POSITIVE_INFINITY &&
        quantity[i]! > 0 &&
        quantity[i]! < Number.POSITIVE_INFINITY &&
        buy[i]! <= 1;
      if (!good) {
        throw new BadMessageError(
          "tick",
          `Cannot read tick message: tick ${i} is not valid (market ${market[i]}, id ${id[i]}, ` +
            `price ${price[i]}, quantity ${quantity[i]}, buy ${buy[i]})`,
        );
      }
    }
  }
}

function parse<T>(schema: z.ZodType<T>, value: unknown, reason: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new BadMessageError(
    reason,
    `Cannot read tick message: ${reason} at [${issue?.path.join(".")}]: ${issue?.message}`,
  );
}

type Column = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array;

/** Copies a little-endian column out of the message: it lies unaligned in a chunk that the bus reuses. */
function copy(from: Uint8Array, to: Column, length: number): void {
  if (from.length !== length * to.BYTES_PER_ELEMENT) {
    throw new BadMessageError(
      "columns",
      `Cannot read tick message: a column has ${from.length} bytes, expected ${length * to.BYTES_PER_ELEMENT}`,
    );
  }
  new Uint8Array(to.buffer, to.byteOffset, from.length).set(from);
}
