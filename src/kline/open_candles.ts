import type { Candle } from "../market/candle.ts";
import { CandleState, type Precision } from "./candle_state.ts";
import type { Completeness } from "./completeness.ts";
import type { Level } from "./level.ts";
import type { LevelCandles } from "./level_candles.ts";
import { candleOf, type Series } from "./published_candle.ts";

/** What a market keeps, by level. */
export interface OpenCandlesOptions {
  readonly levels: readonly LevelCandles[];
  readonly series: readonly Series[];
  readonly precision: Precision;
}

/** The open candles of a market as they stand. That of a larger interval is put together with the smaller open ones. */
export class OpenCandles {
  readonly #plan: readonly Level[];
  readonly #options: OpenCandlesOptions;

  /** @param plan where the candles of each level come from, see `planLevels` */
  constructor(plan: readonly Level[], options: OpenCandlesOptions) {
    this.#plan = plan;
    this.#options = options;
  }

  /** Publishes those that have trades. */
  publish(completeness: Completeness, publish: (candle: Candle) => void): void {
    const { levels, series, precision } = this.#options;
    const { newestMs } = completeness;
    /** By level; a larger one takes what the smaller ones made. */
    const views: (CandleState | undefined)[] = [];
    for (let index = 0; index < levels.length; index++) {
      const level = levels[index]!;
      const openMs = level.openOf(newestMs);
      if (openMs < level.cursorMs) continue;
      const view = new CandleState(openMs, level.endOf(openMs), precision);
      this.#collect(index, view, { newestMs, views });
      views[index] = view;
      if (view.trades > 0) {
        const verdict = completeness.judge(openMs, view.endMs, level.get(openMs));
        publish(candleOf(series[index]!, view, verdict));
      }
    }
  }

  /** Merges an open candle and the open candles that it will be made of into a view. */
  #collect(index: number, view: CandleState, { newestMs, views }: Look): void {
    const { levels, precision } = this.#options;
    const own = levels[index]!.get(view.openMs);
    if (own !== undefined) view.merge(own, precision);
    const { source } = this.#plan[index]!;
    if (source < 0) return;
    const smaller = levels[source]!;
    let openMs = Math.max(smaller.cursorMs, view.openMs);
    while (openMs < view.endMs && openMs <= newestMs) {
      let part = views[source];
      if (part?.openMs !== openMs) {
        part = new CandleState(openMs, smaller.endOf(openMs), precision);
        this.#collect(source, part, { newestMs, views });
      }
      view.merge(part, precision);
      openMs = part.endMs;
    }
  }
}

/** One look at all levels, the smallest first. */
interface Look {
  /** Time of the newest trade, ms. */
  readonly newestMs: number;
  /** Open candles that hold it, by level, as far as they are made. */
  readonly views: readonly (CandleState | undefined)[];
}
