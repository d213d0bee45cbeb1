import type { z } from "zod";
import {
  ackSchema,
  combinedSchema,
  combinedTradeSchema,
  namelessEventSchema,
  otherEventSchema,
  refusalSchema,
  type TradeEvent,
  tradeEventSchema,
} from "./binance_schema.ts";
import { DecimalReader } from "./decimal_reader.ts";
import type { FrameKind, FrameReader, FrameRejection, Trade } from "./exchange.ts";

/** Trade times outside 2009 to 2100 are not milliseconds of any market. */
const MIN_TIME_MS = 1_230_768_000_000;
const MAX_TIME_MS = 4_102_444_800_000;
const MAX_SHOWN_LENGTH = 60;

const REASON_OF_FIELD: Readonly<Record<string, FrameRejection>> = {
  s: "symbol",
  t: "trade_id",
  p: "price",
  q: "quantity",
  m: "side",
  T: "trade_time",
  E: "event_time",
};

/** A market as Binance names it. */
export interface BinanceSymbol {
  /** `BTCUSDT`. */
  readonly symbol: string;
  /** `btcusdt@trade`. */
  readonly stream: string;
}

/** Reads Binance spot frames of trades, combined (`{"stream","data"}`) and raw. */
export class BinanceReader implements FrameReader {
  readonly trade: Trade = {
    market: 0,
    id: 0,
    price: 0,
    priceDecimals: 0,
    quantity: 0,
    quantityDecimals: 0,
    buy: false,
    timeMs: 0,
    eventMs: 0,
    receivedMs: 0,
  };
  requestId = -1;
  reason: FrameRejection = "shape";
  message = "";
  readonly #symbols: readonly BinanceSymbol[];
  readonly #markets: ReadonlyMap<string, number>;
  readonly #decimal = new DecimalReader();

  constructor(symbols: readonly BinanceSymbol[]) {
    this.#symbols = symbols;
    this.#markets = new Map(symbols.map(({ symbol }, index) => [symbol, index]));
  }

  read(frame: string): FrameKind {
    let value: unknown;
    try {
      value = JSON.parse(frame);
    } catch (error) {
      return this.#reject("not_json", "frame", frame, (error as Error).name);
    }
    if (typeof value === "object" && value !== null && "data" in value) {
      const combined = combinedTradeSchema.safeParse(value);
      if (!combined.success) return this.#readCombined(value, combined.error);
      return this.#readTrade(combined.data.data, combined.data.stream);
    }
    const raw = tradeEventSchema.safeParse(value);
    return raw.success ? this.#readTrade(raw.data, undefined) : this.#readOther(value, value, raw.error);
  }

  #readTrade(event: TradeEvent, stream: string | undefined): FrameKind {
    const market = this.#markets.get(event.s);
    if (market === undefined) return this.#reject("unknown_symbol", "s", event.s, "it was not asked for");
    if (stream !== undefined && stream !== this.#symbols[market]!.stream) {
      return this.#reject("stream_mismatch", "stream", stream, `its trade is of ${event.s}`);
    }
    const { trade } = this;
    if (!this.#readDecimal("price", event.p)) return "rejected";
    trade.price = this.#decimal.value;
    trade.priceDecimals = this.#decimal.decimals;
    if (!this.#readDecimal("quantity", event.q)) return "rejected";
    trade.quantity = this.#decimal.value;
    trade.quantityDecimals = this.#decimal.decimals;
    if (!this.#checkTime("trade_time", "T", event.T)) return "rejected";
    if (!this.#checkTime("event_time", "E", event.E)) return "rejected";
    trade.market = market;
    trade.id = event.t;
    // `m` says that the buyer was the maker: then the taker sold.
    trade.buy = !event.m;
    trade.timeMs = event.T;
    trade.eventMs = event.E;
    return "trade";
  }

  #readDecimal(field: "price" | "quantity", text: string): boolean {
    const fault = this.#decimal.read(text);
    if (fault === undefined) return true;
    if (fault === "imprecise") this.#reject("precision", field, text, "more than 15 significant digits");
    else this.#reject(field, field, text, "not a positive plain decimal");
    return false;
  }

  #checkTime(reason: "trade_time" | "event_time", field: string, time: number): boolean {
    if (Number.isInteger(time) && time >= MIN_TIME_MS && time < MAX_TIME_MS) return true;
    if (isOtherUnit(time)) this.#reject("time_unit", field, time, "not milliseconds");
    else this.#reject(reason, field, time, "not milliseconds of this century");
    return false;
  }

  #readCombined(value: object, error: z.ZodError): FrameKind {
    const combined = combinedSchema.safeParse(value);
    if (!combined.success) return this.#reject("shape", "frame", value, "not a combined stream");
    return this.#readOther(value, combined.data.data, error);
  }

  /** Tells answers and other events from invalid trades. */
  #readOther(value: unknown, event: unknown, error: z.ZodError): FrameKind {
    const ack = ackSchema.safeParse(value);
    if (ack.success) {
      this.requestId = typeof ack.data.id === "number" ? ack.data.id : -1;
      return "ack";
    }
    const refusal = refusalSchema.safeParse(value);
    if (refusal.success) {
      const { code, msg } = "error" in refusal.data ? refusal.data.error : refusal.data;
      this.requestId = typeof refusal.data.id === "number" ? refusal.data.id : -1;
      this.message = `code ${code}: ${msg.slice(0, MAX_SHOWN_LENGTH)}`;
      return "refusal";
    }
    if (otherEventSchema.safeParse(event).success || namelessEventSchema.safeParse(event).success) {
      return "ignored";
    }
    const issue = error.issues[0];
    const field = String(issue?.path.at(-1) ?? "frame");
    const isTrade = typeof event === "object" && event !== null && "e" in event && event.e === "trade";
    if (!isTrade) return this.#reject("shape", "frame", value, "neither a trade nor any known event");
    return this.#reject(
      REASON_OF_FIELD[field] ?? "shape",
      field,
      (event as Record<string, unknown>)[field],
      issue?.message ?? "invalid",
    );
  }

  #reject(reason: FrameRejection, field: string, value: unknown, why: string): "rejected" {
    this.reason = reason;
    this.message = `Cannot read trade: ${field} ${show(value)}: ${why}`;
    return "rejected";
  }
}

/** Whether a time would be plausible in seconds, microseconds or nanoseconds. */
function isOtherUnit(time: number): boolean {
  return [1e3, 1e-3, 1e-6].some((factor) => time * factor >= MIN_TIME_MS && time * factor < MAX_TIME_MS);
}

/** A value as JSON shows it, cut before it is made into text where it may be huge. */
function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, MAX_SHOWN_LENGTH));
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "[array]" : "[object]";
  return String(value);
}
