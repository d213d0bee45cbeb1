import { isInterval } from "../market/interval.ts";
import type { CandleKey } from "../wire/candle_codec.ts";

/** Subject of the tick batches of one shard and venue. */
export function tickSubject(shard: number, venue: string): string {
  return `ticks.${shard}.${venue}`;
}

/** Subjects of the tick batches of one shard, of all venues. */
export function tickFilter(shard: number): string {
  return `ticks.${shard}.*`;
}

/** Venue of a tick subject. */
export function venueOf(subject: string): string {
  return subject.slice(subject.lastIndexOf(".") + 1);
}

/** Subject of the closed candles of one series. */
export function candleSubject({ venue, market, interval }: CandleKey): string {
  return `candles.${venue}.${market}.${interval}`;
}

/** Subjects of the closed candles of a market, of all intervals. */
export function candleFilter(venue: string, market: string): string {
  return `candles.${venue}.${market}.*`;
}

/** Subject of the open candle of one series. */
export function liveSubject({ venue, market, interval }: CandleKey): string {
  return `live.${venue}.${market}.${interval}`;
}

/** Subject of the snapshot of a market's candles. */
export function snapshotSubject(shard: number, venue: string, market: string): string {
  return `snapshots.${shard}.${venue}.${market}`;
}

/** Subjects of the snapshots of all markets of a shard. */
export function snapshotFilter(shard: number): string {
  return `snapshots.${shard}.>`;
}

/**
 * The market of a snapshot subject.
 *
 * @throws {SyntaxError} if it is not one
 */
export function parseSnapshotSubject(subject: string): { readonly venue: string; readonly market: string } {
  const [, , venue, market, ...rest] = subject.split(".");
  if (!venue || !market || rest.length > 0) {
    throw new SyntaxError(`Cannot parse subject "${subject}": expected snapshots.shard.venue.market`);
  }
  return { venue, market };
}

/**
 * The series of a candle subject.
 *
 * @throws {SyntaxError} if it is not one
 */
export function parseCandleSubject(subject: string): CandleKey {
  const [, venue, market, interval, ...rest] = subject.split(".");
  if (!venue || !market || interval === undefined || !isInterval(interval) || rest.length > 0) {
    throw new SyntaxError(`Cannot parse subject "${subject}": expected candles.venue.market.interval`);
  }
  return { venue, market, interval };
}
