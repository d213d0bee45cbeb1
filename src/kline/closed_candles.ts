import type { Candle } from "../market/candle.ts";
import type { Interval } from "../market/interval.ts";
import type { CandleState } from "./candle_state.ts";
import type { Completeness, Verdict } from "./completeness.ts";
import type { LevelCandles } from "./level_candles.ts";
import type { PublishedBefore } from "./published_before.ts";
import { candleOf, type FlatOptions, flatCandleOf, type Series } from "./published_candle.ts";

/** Takes a candle that is to be published. */
export type Publish = (candle: Candle) => void;

/** What a market keeps, by level. */
export interface ClosedCandlesOptions {
  readonly levels: readonly LevelCandles[];
  readonly series: readonly Series[];
  readonly completeness: Completeness;
}

/**
 * The closed candles of a market on their way out: each with its revision, and nothing that another life published
 * already, or knew better.
 */
export class ClosedCandles {
  readonly #options: ClosedCandlesOptions;
  #publishedBefore: PublishedBefore | undefined;

  constructor(options: ClosedCandlesOptions) {
    this.#options = options;
  }

  /** Learns what another life published. */
  respect(publishedBefore: PublishedBefore): void {
    this.#publishedBefore = publishedBefore;
  }

  /** The newest candle of an interval that another life published. */
  newestBefore(interval: Interval): Candle | undefined {
    return this.#publishedBefore?.newest(interval);
  }

  /** Publishes one with trades; whether it was news. */
  publish(index: number, state: CandleState, verdict: Verdict, publish: Publish): boolean {
    if (state.published) state.revision++;
    state.published = true;
    state.amended = false;
    state.publishedMissing = verdict.missing;
    state.publishedComplete = verdict.complete;
    const candle = candleOf(this.#options.series[index]!, state, verdict);
    const { revision, isNews } = this.#review(candle);
    if (revision !== state.revision) state.revision = revision;
    if (isNews) publish(withRevision(candle, revision));
    return isNews;
  }

  /** As {@link publish}, for one without trades. */
  publishFlat(index: number, verdict: Verdict, options: FlatOptions, publish: Publish): boolean {
    const { series, levels } = this.#options;
    const candle = flatCandleOf(series[index]!, verdict, options);
    const { revision, isNews } = this.#review(candle);
    if (revision !== options.revision) levels[index]!.setFlatRevision(options.openMs, revision);
    if (isNews) publish(withRevision(candle, revision));
    return isNews;
  }

  #review(candle: Candle): { revision: number; isNews: boolean } {
    const before = this.#publishedBefore;
    if (before === undefined) return { revision: candle.revision, isNews: true };
    return before.review(candle, candle.openMs <= this.#options.completeness.startMs);
  }

  /** Forgets what another life published of candles that ended before an instant, ms. */
  forget(beforeMs: number): void {
    this.#publishedBefore?.forget(beforeMs);
    if (this.#publishedBefore?.size === 0) this.#publishedBefore = undefined;
  }
}

function withRevision(candle: Candle, revision: number): Candle {
  return candle.revision === revision ? candle : { ...candle, revision };
}
