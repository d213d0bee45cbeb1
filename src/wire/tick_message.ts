import type { BatchMarket, TickBatch } from "../market/tick.ts";

/** Version of the message shape; a reader refuses any other. */
export const TICK_WIRE_VERSION = 1;

/**
 * One message of the `TICKS` stream: ticks of one shard and venue, and what the publisher knows about its feeds.
 * The shape on the wire is described, with a decoder in another language, in `README.md` beside this file.
 */
export interface TickMessage {
  /** Identifies one life of one publisher; larger is later. */
  readonly epoch: number;
  /** Counts the publisher's messages of this shard from 1, those included that could not be published. */
  readonly seq: number;
  /** When the message was handed to the bus, ms since the epoch by the publisher's local clock. */
  readonly sentMs: number;
  /**
   * The latest trade time that the publisher accepted on any market of the venue, ms by the venue's clock; 0 before
   * the first. It closes the candles of a shard whose own markets are quiet.
   */
  readonly venueMs: number;
  /** Empty in a heartbeat. */
  readonly ticks: TickBatch;
  /** Names of the markets whose feed is not connected as the message is sent. */
  readonly down: readonly string[];
  /**
   * How many ticks of this shard the publisher had numbered before those of this message, whatever became of them: so
   * that readers know what a lost message held. Absent: unknown.
   */
  readonly ticksBefore?: number | undefined;
  /** Whether the message was too old to be decoded: of `ticks` there is only the number, and `down` is not known. */
  readonly isStale?: boolean;
}

/** Bytes that are not a tick message. `reason` is a constant fit to be counted by. */
export class BadMessageError extends Error {
  override readonly name = "BadMessageError";
  readonly reason: string;

  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** A market reference as it travels: name, decimals of the prices, decimals of the quantities. */
export type WireMarket = readonly [name: string, priceDecimals: number, quantityDecimals: number];

/** The market references of a batch as they travel. */
export function toWireMarkets(markets: readonly BatchMarket[]): WireMarket[] {
  return markets.map((market) => [market.name, market.priceDecimals, market.quantityDecimals]);
}
