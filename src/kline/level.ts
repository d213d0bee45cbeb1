import type { Calendar } from "../market/calendar.ts";
import type { Interval } from "../market/interval.ts";

/** How one interval is fed: from trades, or from the closed candles of a smaller one. */
export interface Level {
  readonly interval: Interval;
  /** Index of the level whose candles it is made of; -1 where it takes the trades themselves. */
  readonly source: number;
  /** Indexes of the levels that are made of its candles. */
  readonly dependents: readonly number[];
}

/**
 * Plans the roll-up: every interval is made of the largest smaller one that nests in it, so that a trade touches
 * only the intervals that no other one feeds (mostly just the smallest).
 *
 * @param intervals shortest first, each once
 */
export function planLevels(intervals: readonly Interval[], calendar: Calendar): readonly Level[] {
  const sources = intervals.map((outer, index) =>
    intervals.slice(0, index).findLastIndex((inner) => calendar.nests(inner, outer)),
  );
  return intervals.map((interval, index) => ({
    interval,
    source: sources[index]!,
    dependents: sources.flatMap((source, dependent) => (source === index ? [dependent] : [])),
  }));
}
