import type { Market } from "../market/market.ts";

/** Why a frame was refused; fit to be counted by. */
export const FRAME_REJECTIONS = [
  "not_json",
  "shape",
  "unknown_symbol",
  "stream_mismatch",
  "symbol",
  "trade_id",
  "price",
  "quantity",
  "precision",
  "side",
  "trade_time",
  "event_time",
  "time_unit",
] as const;

export type FrameRejection = (typeof FRAME_REJECTIONS)[number];

/** One trade as a venue reported it. */
export interface Trade {
  /** Index into the markets that the reader was made for. */
  market: number;
  /** A safe integer, at least 0. */
  id: number;
  /** Stands for a decimal of at most 15 significant digits (see `Tick`); above 0. */
  price: number;
  /** Decimal places of the price without trailing zeros. */
  priceDecimals: number;
  /** In the base asset; otherwise as `price`. */
  quantity: number;
  quantityDecimals: number;
  /** Whether the taker bought. */
  buy: boolean;
  /** When the venue matched the trade, whole ms since the epoch. */
  timeMs: number;
  /** When the venue sent the trade, whole ms since the epoch. */
  eventMs: number;
  /** When the frame reached us, ms by the local clock, with fractions; whoever received the frame sets it. */
  receivedMs: number;
}

/**
 * What a frame is: a trade; the answer to a request, good (`ack`) or bad (`refusal`); something known that is of no
 * use here (`ignored`); or nothing that the venue should have sent (`rejected`).
 */
export type FrameKind = "trade" | "ack" | "refusal" | "ignored" | "rejected";

/**
 * Reads the frames of one venue. It is reused: what `read` leaves behind is valid until the next `read`, so that a
 * trade costs no object.
 */
export interface FrameReader {
  /** The trade, after `trade`. */
  readonly trade: Trade;
  /** The request that was answered, after `ack` and `refusal`; -1 where the venue did not say. */
  readonly requestId: number;
  /** After `rejected`. */
  readonly reason: FrameRejection;
  /** Names the field and its value, cut to a sane length, after `rejected` and `refusal`. */
  readonly message: string;
  /** Validates a text frame; never throws, whatever the frame. */
  read(frame: string): FrameKind;
}

/** What a venue allows. */
export interface ExchangeLimits {
  /** Most subscriptions that one connection may have. */
  readonly streamsPerConnection: number;
  /** Most stream names in one request. */
  readonly streamsPerRequest: number;
  /** Shortest time between two requests on one connection, ms. */
  readonly requestIntervalMs: number;
}

/** How to talk to a venue. Pure: it makes and reads texts, others send and receive them. */
export interface Exchange {
  /** The venue's name in markets, subjects and tags. */
  readonly venue: string;
  readonly limits: ExchangeLimits;
  /** Where to connect, given scheme, host and port. */
  connectUrl(baseUrl: string): string;
  /** The request to be sent the trades of some markets. */
  subscribeRequest(markets: readonly Market[], requestId: number): string;
  /** A reader that knows these markets, and rejects the trades of any other. */
  createReader(markets: readonly Market[]): FrameReader;
}
