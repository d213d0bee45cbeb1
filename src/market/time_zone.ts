import { DAY_MS } from "./interval.ts";

/** Zones are never more than this away from UTC (tz database: +15:13:42 in Alaska before 1867). */
const MAX_OFFSET_MS = 16 * 3_600_000;
/** Most day starts that one zone remembers; the cache starts anew beyond it. */
const MAX_CACHED_DAYS = 4096;

/** The calendar days of an IANA time zone. Days are numbered from 1970-01-01, local. */
export interface TimeZone {
  readonly name: string;
  /** Number of the local day that holds an instant (ms since the epoch). */
  dayOf(timeMs: number): number;
  /** First instant of a local day, ms since the epoch; not always midnight where clocks change at midnight. */
  startOf(day: number): number;
  /** Offset from UTC at an instant, ms; positive east of Greenwich. */
  offsetAt(timeMs: number): number;
}

const UTC: TimeZone = {
  name: "UTC",
  dayOf: (timeMs) => Math.floor(timeMs / DAY_MS),
  startOf: (day) => day * DAY_MS,
  offsetAt: () => 0,
};

/**
 * The days of a zone, daylight saving included, by the host's tz database.
 *
 * @throws {RangeError} if the host does not know the zone
 */
export function createTimeZone(name: string): TimeZone {
  return name === "UTC" ? UTC : new IanaZone(name);
}

class IanaZone implements TimeZone {
  readonly name: string;
  readonly #format: Intl.DateTimeFormat;
  readonly #starts = new Map<number, number>();

  constructor(name: string) {
    this.name = name;
    this.#format = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      calendar: "gregory",
      hourCycle: "h23",
      era: "short",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  }

  offsetAt(timeMs: number): number {
    const wholeSecondMs = Math.floor(timeMs / 1000) * 1000;
    const field: Record<string, number> = {};
    for (const { type, value } of this.#format.formatToParts(wholeSecondMs)) field[type] = Number(value);
    const { year, month, day, hour, minute, second } = field;
    return Date.UTC(year!, month! - 1, day, hour, minute, second) - wholeSecondMs;
  }

  dayOf(timeMs: number): number {
    const guess = Math.floor(timeMs / DAY_MS);
    if (timeMs < this.startOf(guess)) return guess - 1;
    return timeMs < this.startOf(guess + 1) ? guess : guess + 1;
  }

  startOf(day: number): number {
    const known = this.#starts.get(day);
    if (known !== undefined) return known;
    if (this.#starts.size >= MAX_CACHED_DAYS) this.#starts.clear();
    const start = this.#search(day);
    this.#starts.set(day, start);
    return start;
  }

  /** Local dates never run backwards, so the first instant with a date of at least `day` is found by bisection. */
  #search(day: number): number {
    let before = day * DAY_MS - MAX_OFFSET_MS;
    let after = day * DAY_MS + MAX_OFFSET_MS;
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2);
      if (Math.floor((middle + this.offsetAt(middle)) / DAY_MS) >= day) after = middle;
      else before = middle;
    }
    return after;
  }
}
