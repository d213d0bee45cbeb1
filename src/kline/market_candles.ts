import type { Calendar } from "../market/calendar.ts";
import type { CandleState, Precision, Trade } from "./candle_state.ts";
import { ClosedCandles, type Publish } from "./closed_candles.ts";
import { Completeness, type Reveal, type Verdict } from "./completeness.ts";
import type { Level } from "./level.ts";
import { LevelCandles } from "./level_candles.ts";
import { OpenCandles } from "./open_candles.ts";
import type { PublishedBefore } from "./published_before.ts";
import { Recalls } from "./recalls.ts";
import type { SavedMarket } from "./saved_state.ts";

/** What candles are made by; the same for all markets of an engine. */
export interface CandleRules {
  readonly calendar: Calendar;
  /** Shortest interval first, see `planLevels`. */
  readonly levels: readonly Level[];
  /** A candle closes this long after the venue's clock passes its end, ms. */
  readonly closeDelayMs: number;
  /** A trade amends closed candles up to this long after they closed, ms. */
  readonly latenessMs: number;
  /** Whether intervals without trades get a candle. */
  readonly fill: "flat" | "none";
}

/** What became of a trade: `late` ones amended a closed candle, `too_late` ones and duplicates were dropped. */
export type Outcome = "accepted" | "late" | "too_late" | "duplicate";

/** Closed candles of one level that are to be looked at again, and published anew where they changed. */
interface Review {
  readonly level: number;
  nextMs: number;
  readonly endMs: number;
  /** Candles without trades changed too if they end by this instant. */
  readonly flatsToMs: number;
  /** Whether it ends at the next candle with trades. */
  readonly untilTrade: boolean;
}

/** Time between two looks for what may be forgotten, ms of the venue's clock. */
const FORGET_STEP_MS = 1_000;

/** A market of which nothing was published for longer, ms of its trades' times, begins anew. */
const MAX_GAP_MS = 3_600_000;

/** All candles of one market. Time is the venue's, passed in with each call. */
export class MarketCandles {
  /** Forgotten candles that a trade came too late for. */
  readonly recalls = new Recalls();
  readonly #rules: CandleRules;
  readonly #levels: readonly LevelCandles[];
  readonly #precision: Precision = { priceDecimals: 0, quantityDecimals: 0 };
  readonly #completeness = new Completeness();
  readonly #open: OpenCandles;
  readonly #closed: ClosedCandles;
  /** Worked off before the next batch, so a batch bounds it. */
  readonly #reviews: Review[] = [];
  #round = 0;
  #started = false;
  #fillableMs = Number.NEGATIVE_INFINITY;
  #changed = false;

  constructor(venue: string, market: string, rules: CandleRules) {
    this.#rules = rules;
    const series = rules.levels.map(({ interval }) => ({ venue, market, interval }));
    this.#levels = rules.levels.map(
      ({ interval }) => new LevelCandles(interval, rules.calendar, this.#precision),
    );
    const levels = this.#levels;
    this.#open = new OpenCandles(rules.levels, { levels, series, precision: this.#precision });
    this.#closed = new ClosedCandles({ levels, series, completeness: this.#completeness });
  }

  /**
   * What {@link load} needs to go on; undefined before the first trade, or while closed candles are looked at again or
   * recalled.
   */
  save(): SavedMarket | undefined {
    if (!this.#started || this.hasReviews || this.recalls.size > 0) return undefined;
    return {
      ...this.#precision,
      ...this.#completeness.save(),
      fillableMs: this.#fillableMs,
      levels: this.#levels.map((level) => level.save()),
    };
  }

  /**
   * Goes on from what another life saved by the same rules; nothing was added before.
   *
   * @throws {RangeError} if it has other intervals
   */
  load(saved: SavedMarket): void {
    if (saved.levels.length !== this.#levels.length) {
      throw new RangeError(
        `Cannot go on from ${saved.levels.length} intervals: there are ${this.#levels.length}`,
      );
    }
    this.refine(saved.priceDecimals, saved.quantityDecimals);
    this.#completeness.load(saved);
    this.#fillableMs = saved.fillableMs;
    for (const [index, level] of this.#levels.entries()) level.load(saved.levels[index]!);
    this.#started = true;
    this.#changed = true;
  }

  /** Learns what another life published meanwhile; nothing of that is published again, or undone by what is worse. */
  respect(publishedBefore: PublishedBefore): void {
    this.#closed.respect(publishedBefore);
  }

  /** Venue time at which the next candle is due to be closed, ms; Infinity before the first trade. */
  get nextCloseMs(): number {
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const { cursorEndMs } of this.#levels) {
      if (cursorEndMs < earliestMs) earliestMs = cursorEndMs;
    }
    return earliestMs + this.#rules.closeDelayMs;
  }

  /** Whether closed candles wait to be published anew. */
  get hasReviews(): boolean {
    return this.#reviews.length > 0;
  }

  /** Learns how many decimals the market's trades have; must precede a trade with more than before. */
  refine(priceDecimals: number, quantityDecimals: number): void {
    const precision = this.#precision;
    if (priceDecimals > precision.priceDecimals) precision.priceDecimals = priceDecimals;
    if (quantityDecimals > precision.quantityDecimals) precision.quantityDecimals = quantityDecimals;
  }

  /** Nothing is certain from this venue time on, until the next trade's id tells whether trades were lost. */
  doubt(fromMs: number): void {
    this.#completeness.doubt(fromMs);
  }

  /** Adds a trade at venue time `clockMs`. */
  add(trade: Trade, clockMs: number): Outcome {
    const closableMs = clockMs - this.#rules.closeDelayMs;
    if (this.#isTooLate(trade.timeMs, closableMs)) return this.#drop(trade);
    if (!this.#started) this.#start(trade.timeMs);
    if (!this.#completeness.extend(trade.id, trade.timeMs)) {
      if (this.#completeness.isRenumbered(trade.id, trade.timeMs)) this.#renumber(trade);
      const reveals = this.#completeness.note(trade.id, trade.timeMs);
      if (reveals === undefined) return "duplicate";
      for (const reveal of reveals) this.#reviewRevealed(reveal);
    }
    this.#changed = true;
    let outcome: Outcome = "accepted";
    for (let index = 0; index < this.#levels.length; index++) {
      const takesTrades = this.#rules.levels[index]!.source < 0;
      if (takesTrades && this.#addTo(index, trade)) outcome = "late";
    }
    return outcome;
  }

  /** Begins with new numbers. What was closed since the last trade of the old ones may lack some. */
  #renumber({ id, timeMs }: Trade): void {
    const fromMs = this.#completeness.newestMs;
    for (const hole of this.#completeness.renumber(id)) {
      for (const level of this.#levels) level.taint(hole.fromMs, hole.toMs, hole.trades);
    }
    this.#reviewRevealed({ fromMs, toMs: timeMs, flatsToMs: timeMs });
  }

  #start(timeMs: number): void {
    this.#started = true;
    const last = this.#closed.newestBefore(this.#levels[0]!.interval);
    if (last === undefined || timeMs < last.endMs || timeMs - last.endMs > MAX_GAP_MS) {
      for (const level of this.#levels) level.begin(timeMs);
      return;
    }
    // Everything since is lost, if there was anything: its intervals are due all the same.
    for (const level of this.#levels) level.beginAfter(last.endMs, Number(last.close));
    if (last.trades > 0) this.#completeness.goOnAfter(last);
  }

  #isTooLate(timeMs: number, closableMs: number): boolean {
    const fillableMs = Math.max(this.#fillableMs, closableMs - this.#rules.latenessMs);
    if (timeMs >= fillableMs) return false;
    const smallest = this.#levels[0]!;
    return smallest.endOf(smallest.openOf(timeMs)) <= fillableMs;
  }

  /** Drops a trade that is too late; the candles that it belongs to lack it, so far as it is not known. */
  #drop({ id, timeMs }: Trade): Outcome {
    if (this.#completeness.knows(id)) return "duplicate";
    if (this.#completeness.isMissing(id, timeMs)) {
      for (let index = 0; index < this.#levels.length; index++) this.#disclaim(index, timeMs);
    }
    return "too_late";
  }

  /** Notes that the candle which holds an instant lacks a trade; a closed one is published anew. */
  #disclaim(index: number, timeMs: number): void {
    const level = this.#levels[index]!;
    const openMs = level.openOf(timeMs);
    if (openMs < level.startMs) return;
    if (level.isForgotten(openMs)) {
      this.recalls.add(level.interval, openMs);
      return;
    }
    const state = level.at(timeMs);
    if (state.tainted) return;
    state.tainted = true;
    this.#changed = true;
    const { endMs } = state;
    if (level.isClosed(state))
      this.#reviews.push({ level: index, nextMs: openMs, endMs, flatsToMs: endMs, untilTrade: false });
  }

  /** Adds a trade to a level and to those that its closed candle was merged into; says whether it was late. */
  #addTo(index: number, trade: Trade): boolean {
    const level = this.#levels[index]!;
    const state = level.at(trade.timeMs);
    if (!level.isClosed(state)) {
      level.startBy(state);
      state.add(trade, this.#precision);
      return false;
    }
    this.#amend(index, state, trade);
    for (const dependent of this.#rules.levels[index]!.dependents) {
      this.#addTo(dependent, trade);
    }
    return true;
  }

  #amend(index: number, state: CandleState, trade: Trade): void {
    const level = this.#levels[index]!;
    const { openMs, endMs } = state;
    const before = state.trades > 0 ? state.close : level.lastBefore(openMs)?.close;
    if (state.trades === 0 && this.#rules.fill === "flat") {
      state.published = openMs >= level.startMs;
      state.revision = level.flatRevision(openMs);
    }
    state.add(trade, this.#precision);
    state.late++;
    level.noteClosed(state);
    const common = { level: index, flatsToMs: Number.NEGATIVE_INFINITY, untilTrade: false };
    if (!state.amended) {
      state.amended = true;
      this.#reviews.push({ ...common, nextMs: openMs, endMs });
    }
    if (state.close !== before) {
      const toMs = level.cursorMs;
      this.#reviews.push({ ...common, nextMs: endMs, endMs: toMs, flatsToMs: toMs, untilTrade: true });
    }
  }

  /** Has the closed candles looked at again whose verdict a trade changed. */
  #reviewRevealed({ fromMs, toMs, flatsToMs }: Reveal): void {
    for (let index = 0; index < this.#levels.length; index++) {
      const level = this.#levels[index]!;
      if (!(fromMs < level.cursorMs)) continue;
      const nextMs = level.openOf(Math.max(fromMs, level.startMs));
      const endMs = Math.min(level.endOf(level.openOf(toMs)), level.cursorMs);
      if (nextMs < endMs) this.#reviews.push({ level: index, nextMs, endMs, flatsToMs, untilTrade: false });
    }
  }

  /**
   * Publishes what is due at venue time `clockMs`: first closed candles that changed, then those that close, in the
   * order of time, the smallest interval first.
   *
   * @param provenMs venue time until which the publisher is known to have lost nothing
   * @param limit most candles to publish now; the rest follows with the next call
   * @returns how many were published; `limit` means that there may be more
   */
  advance(
    clockMs: number,
    provenMs: number,
    { limit, publish }: { limit: number; publish: Publish },
  ): number {
    if (!this.#started) return 0;
    let published = 0;
    while (published < limit && this.#reviews.length > 0) {
      if (this.#reviewNext(publish)) published++;
    }
    const closableMs = clockMs - this.#rules.closeDelayMs;
    for (let index = 0; index < this.#levels.length; index++) {
      const level = this.#levels[index]!;
      while (level.cursorEndMs <= closableMs) {
        if (published >= limit) return published;
        if (level.cursorEndMs > provenMs) this.doubt(provenMs);
        if (this.#close(index, publish)) published++;
      }
    }
    if (!this.hasReviews) this.#forget(closableMs);
    return published;
  }

  #close(index: number, publish: Publish): boolean {
    const level = this.#levels[index]!;
    const { cursorMs: openMs, cursorEndMs: endMs } = level;
    const state = level.get(openMs);
    const price = level.newestClosed?.close;
    level.moveOn();
    const verdict = this.#completeness.judge(openMs, endMs, state);
    if (state !== undefined && state.trades > 0) {
      level.noteClosed(state);
      for (const dependent of this.#rules.levels[index]!.dependents) {
        const larger = this.#levels[dependent]!;
        const whole = larger.at(openMs);
        larger.startBy(whole);
        whole.merge(state, this.#precision);
      }
      return this.#closed.publish(index, state, verdict, publish);
    }
    if (this.#rules.fill === "none" || price === undefined) return false;
    return this.#closed.publishFlat(index, verdict, { openMs, endMs, price, revision: 0 }, publish);
  }

  /** Looks at one closed candle again; says whether it was published anew. */
  #reviewNext(publish: Publish): boolean {
    const review = this.#reviews[0]!;
    const level = this.#levels[review.level]!;
    const openMs = review.nextMs;
    const state = openMs < review.endMs ? level.get(openMs) : undefined;
    const hasTrades = state !== undefined && state.trades > 0;
    if (openMs >= review.endMs || (hasTrades && review.untilTrade)) {
      this.#endReview();
      return false;
    }
    const endMs = level.endOf(openMs);
    review.nextMs = endMs;
    const verdict = this.#completeness.judge(openMs, endMs, state);
    if (hasTrades) {
      const changed =
        state.amended ||
        state.publishedMissing !== verdict.missing ||
        state.publishedComplete !== verdict.complete;
      return changed && this.#closed.publish(review.level, state, verdict, publish);
    }
    if (endMs > review.flatsToMs || this.#rules.fill === "none") return false;
    return this.#reviewFlat(review.level, openMs, verdict, publish);
  }

  #reviewFlat(index: number, openMs: number, verdict: Verdict, publish: Publish): boolean {
    const level = this.#levels[index]!;
    const price = level.lastBefore(openMs)?.close;
    if (price === undefined) return false;
    const revision = level.reviseFlat(openMs, this.#round);
    if (revision === undefined) return false;
    const endMs = level.endOf(openMs);
    return this.#closed.publishFlat(index, verdict, { openMs, endMs, price, revision }, publish);
  }

  #endReview(): void {
    this.#reviews.shift();
    if (this.#reviews.length > 0) return;
    this.#round++;
    for (const level of this.#levels) level.noteStart();
  }

  /** Gives up holes that no trade may fill any more, and candles that no trade may amend. */
  #forget(closableMs: number): void {
    const fillableMs = closableMs - this.#rules.latenessMs;
    if (fillableMs < this.#fillableMs + FORGET_STEP_MS) return;
    this.#fillableMs = fillableMs;
    const smallest = this.#levels[0]!;
    for (const { trades, fromMs, toMs } of this.#completeness.takeLost(smallest.openOf(fillableMs))) {
      for (const level of this.#levels) level.taint(fromMs, toMs, trades);
    }
    const horizonMs = Math.min(fillableMs, this.#completeness.settledMs);
    for (const level of this.#levels) level.prune(horizonMs);
    this.#closed.forget(horizonMs);
  }

  /** Publishes the open candle of every interval as it stands, if trades came since the last call. */
  publishLive(publish: Publish): boolean {
    if (!this.#changed) return false;
    this.#changed = false;
    this.#open.publish(this.#completeness, publish);
    return true;
  }
}
