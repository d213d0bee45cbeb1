import { DAY_MS, FIXED_INTERVAL_MS, type Interval } from "./interval.ts";
import { createTimeZone, type TimeZone } from "./time_zone.ts";

/** 1970-01-05 was the first Monday of the epoch. */
const FIRST_MONDAY = 4;
const SAMPLE_STEP_MS = 13 * DAY_MS;
const SAMPLE_END_MS = 2_524_608_000_000; // 2050-01-01

/**
 * Where candles begin and end. Intervals up to `12h` start at multiples of their length since the epoch; `1d` is a
 * local day, `3d` starts at local days whose number is a multiple of three, `1w` on Monday and `1M` on the 1st, as
 * Binance aligns them in UTC.
 */
export interface Calendar {
  readonly timeZone: string;
  /** Start of the candle that holds an instant, ms since the epoch. */
  openOf(interval: Interval, timeMs: number): number;
  /** End, exclusive, of the candle that starts at `openMs`; also the start of the next one. */
  endOf(interval: Interval, openMs: number): number;
  /** Whether every candle of `outer` is made of whole candles of `inner`. */
  nests(inner: Interval, outer: Interval): boolean;
}

/**
 * The candle boundaries of a time zone.
 *
 * @throws {RangeError} if the host does not know the zone
 * @example
 * ```ts
 * createCalendar("Asia/Shanghai").openOf("1d", Date.UTC(2026, 0, 1, 17)); // 2026-01-01T16:00Z
 * ```
 */
export function createCalendar(timeZone: string): Calendar {
  return new ZonedCalendar(createTimeZone(timeZone));
}

class ZonedCalendar implements Calendar {
  readonly #zone: TimeZone;
  #offsets: readonly number[] | undefined;

  constructor(zone: TimeZone) {
    this.#zone = zone;
  }

  get timeZone(): string {
    return this.#zone.name;
  }

  openOf(interval: Interval, timeMs: number): number {
    const lengthMs = FIXED_INTERVAL_MS[interval];
    if (lengthMs !== undefined) return Math.floor(timeMs / lengthMs) * lengthMs;
    return this.#zone.startOf(firstDay(interval, this.#zone.dayOf(timeMs)));
  }

  endOf(interval: Interval, openMs: number): number {
    const lengthMs = FIXED_INTERVAL_MS[interval];
    if (lengthMs !== undefined) return openMs + lengthMs;
    return this.#zone.startOf(firstDay(interval, this.#zone.dayOf(openMs), 1));
  }

  nests(inner: Interval, outer: Interval): boolean {
    const innerMs = FIXED_INTERVAL_MS[inner];
    const outerMs = FIXED_INTERVAL_MS[outer];
    if (innerMs === undefined) return inner === "1d" && outerMs === undefined && outer !== "1d";
    if (outerMs !== undefined) return outerMs > innerMs && outerMs % innerMs === 0;
    return this.#seenOffsets().every((offsetMs) => (DAY_MS - offsetMs) % innerMs === 0);
  }

  /** Every offset that the zone has had or is known to get: day starts lie at these distances from UTC midnight. */
  #seenOffsets(): readonly number[] {
    if (this.#offsets === undefined) {
      const seen = new Set<number>();
      for (let timeMs = 0; timeMs < SAMPLE_END_MS; timeMs += SAMPLE_STEP_MS) {
        seen.add(this.#zone.offsetAt(timeMs));
      }
      this.#offsets = [...seen];
    }
    return this.#offsets;
  }
}

/** First day of the calendar interval that holds `day`, or of the one that many intervals later. */
function firstDay(interval: Interval, day: number, later = 0): number {
  switch (interval) {
    case "1d":
      return day + later;
    case "3d":
      return (Math.floor(day / 3) + later) * 3;
    case "1w":
      return (Math.floor((day - FIRST_MONDAY) / 7) + later) * 7 + FIRST_MONDAY;
    case "1M": {
      const date = new Date(day * DAY_MS);
      return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + later, 1) / DAY_MS;
    }
    default:
      throw new RangeError(`Cannot align interval "${interval}" to the calendar: it has a fixed length`);
  }
}
