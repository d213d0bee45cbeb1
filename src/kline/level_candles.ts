import type { Calendar } from "../market/calendar.ts";
import type { Interval } from "../market/interval.ts";
import { CandleState, type Precision } from "./candle_state.ts";
import { loadCandle, type SavedLevel, saveCandle } from "./saved_state.ts";

/** Most flat candles of which it is remembered how often they were revised. */
const MAX_FLAT_REVISIONS = 100_000;
const MIN_PRUNE_SIZE = 64;
/** Candles are looked through for old ones when there are this many times more than after the last time. */
const PRUNE_GROWTH = 1.25;
/** Stands for a life before. */
const NO_ROUND = -1;

interface FlatRevision {
  revision: number;
  round: number;
}

/**
 * The candles of one market and interval: those that are open, and the closed ones that may still change. Flat
 * candles are not kept; they follow from the candle before them.
 */
export class LevelCandles {
  readonly interval: Interval;
  /** Open time of the first candle that is not closed, ms, and its end. */
  cursorMs = Number.NaN;
  cursorEndMs = Number.NaN;
  /** Open time of the first candle that was ever closed or will be, ms. */
  startMs = Number.NaN;
  /** Candles that start before are forgotten, but for the last one with trades, ms. */
  #keptFromMs = Number.NEGATIVE_INFINITY;
  /**
   * The latest closed candle with trades, or what stands for it from a life before: its close is the price of the flat
   * ones that follow.
   */
  newestClosed: CandleState | undefined;
  readonly #calendar: Calendar;
  readonly #precision: Precision;
  readonly #states = new Map<number, CandleState>();
  readonly #flatRevisions = new Map<number, FlatRevision>();
  #current: CandleState | undefined;
  #earliestMs = Number.POSITIVE_INFINITY;
  #sizeAfterPrune = 0;

  constructor(interval: Interval, calendar: Calendar, precision: Precision) {
    this.interval = interval;
    this.#calendar = calendar;
    this.#precision = precision;
  }

  save(): SavedLevel {
    return {
      cursorMs: this.cursorMs,
      startMs: this.startMs,
      keptFromMs: this.#keptFromMs,
      earliestMs: this.#earliestMs,
      newestClosedMs: this.newestClosed?.openMs ?? Number.NaN,
      candles: [...this.#states.values()].map(saveCandle),
      flatRevisions: [...this.#flatRevisions].map(([openMs, { revision }]) => [openMs, revision]),
    };
  }

  /** Goes on from what {@link save} gave; nothing was added before. */
  load(saved: SavedLevel): void {
    this.#moveCursor(saved.cursorMs);
    this.startMs = saved.startMs;
    this.#keptFromMs = saved.keptFromMs;
    this.#earliestMs = saved.earliestMs;
    for (const candle of saved.candles) this.#states.set(candle[0], loadCandle(candle));
    this.newestClosed = this.#states.get(saved.newestClosedMs);
    for (const [openMs, revision] of saved.flatRevisions) this.setFlatRevision(openMs, revision);
  }

  /** Starts with the candle that holds an instant; called once, with the first trade. */
  begin(timeMs: number): void {
    this.#startAt(this.openOf(timeMs));
  }

  /** Starts with the candle that holds an instant; another life closed those before it, the last one at a price. */
  beginAfter(timeMs: number, price: number): void {
    this.begin(timeMs);
    const before = this.at(this.cursorMs - 1);
    before.close = price;
    this.newestClosed = before;
  }

  openOf(timeMs: number): number {
    return this.#calendar.openOf(this.interval, timeMs);
  }

  endOf(openMs: number): number {
    return this.#calendar.endOf(this.interval, openMs);
  }

  get(openMs: number): CandleState | undefined {
    return this.#states.get(openMs);
  }

  /** The candle that holds an instant, made if there is none. */
  at(timeMs: number): CandleState {
    const current = this.#current;
    if (current !== undefined && timeMs >= current.openMs && timeMs < current.endMs) return current;
    const openMs = this.openOf(timeMs);
    let state = this.#states.get(openMs);
    if (state === undefined) {
      state = new CandleState(openMs, this.endOf(openMs), this.#precision);
      this.#states.set(openMs, state);
    }
    this.#current = state;
    return state;
  }

  /** Whether a candle is forgotten, or would be if it had been closed. */
  isForgotten(openMs: number): boolean {
    return openMs < this.#keptFromMs;
  }

  /** Whether a candle was closed. Those before the first one count as closed once anything was. */
  isClosed(state: CandleState): boolean {
    return state.openMs < this.cursorMs && this.cursorMs > this.startMs;
  }

  /** Makes an open candle the first one if it lies before. */
  startBy(state: CandleState): void {
    if (state.openMs >= this.cursorMs) return;
    this.#startAt(state.openMs);
    // Nothing was closed yet: it stands for a candle from a life before, which this one makes itself now.
    if (this.newestClosed !== undefined && this.newestClosed.openMs >= state.openMs)
      this.newestClosed = undefined;
  }

  #startAt(openMs: number): void {
    this.#moveCursor(openMs);
    this.startMs = openMs;
  }

  /** Passes on to the next candle after the one at the cursor was closed. */
  moveOn(): void {
    this.#moveCursor(this.cursorEndMs);
  }

  #moveCursor(openMs: number): void {
    this.cursorMs = openMs;
    this.cursorEndMs = this.endOf(openMs);
  }

  /** Moves the start back to the earliest candle that late trades added before it, once that is published. */
  noteStart(): void {
    this.startMs = Math.min(this.startMs, this.#earliestMs);
  }

  /** Notes that a candle with trades is closed. */
  noteClosed(state: CandleState): void {
    if (state.openMs < this.#earliestMs) this.#earliestMs = state.openMs;
    if (this.newestClosed === undefined || state.openMs > this.newestClosed.openMs) this.newestClosed = state;
  }

  /** The last candle with trades that starts before `openMs`; undefined where there is none or it was forgotten. */
  lastBefore(openMs: number): CandleState | undefined {
    const newest = this.newestClosed;
    if (newest !== undefined && newest.openMs < openMs) return newest;
    if (openMs < this.#keptFromMs) return undefined;
    let last: CandleState | undefined;
    for (const state of this.#states.values()) {
      const fits = state.trades > 0 && state.openMs < openMs;
      if (fits && (last === undefined || state.openMs > last.openMs)) last = state;
    }
    return last;
  }

  /** Notes that trades between two instants are lost for ever; closed flat candles between them are not looked at. */
  taint(fromMs: number, toMs: number, trades: number): void {
    const first = this.at(fromMs);
    const last = this.at(toMs);
    if (first === last) first.lostTrades += trades;
    first.tainted = true;
    last.tainted = true;
    for (const state of this.#states.values()) {
      if (state.openMs > first.openMs && state.openMs < last.openMs) state.tainted = true;
    }
    for (let openMs = Math.max(first.endMs, this.cursorMs); openMs < last.openMs; ) {
      const state = this.at(openMs);
      state.tainted = true;
      openMs = state.endMs;
    }
  }

  /** How often the flat candle at `openMs` was revised. */
  flatRevision(openMs: number): number {
    return this.#flatRevisions.get(openMs)?.revision ?? 0;
  }

  /** Notes how often the flat candle at `openMs` had been revised before this life began. */
  setFlatRevision(openMs: number, revision: number): void {
    this.#flatRevisions.set(openMs, { revision, round: NO_ROUND });
  }

  /**
   * Counts a revision of a flat candle, once per round; undefined where this round has had it already. A flat candle
   * before the start was not published yet, and so begins with 0.
   */
  reviseFlat(openMs: number, round: number): number | undefined {
    const known = this.#flatRevisions.get(openMs);
    if (known?.round === round) return undefined;
    const revision = known === undefined && openMs < this.startMs ? 0 : (known?.revision ?? 0) + 1;
    if (known === undefined && this.#flatRevisions.size >= MAX_FLAT_REVISIONS) {
      const [oldest] = this.#flatRevisions.keys();
      this.#flatRevisions.delete(oldest!);
    }
    this.#flatRevisions.set(openMs, { revision, round });
    return revision;
  }

  /** Forgets closed candles that ended before `horizonMs`, but for the last one with trades: its close prices flat ones. */
  prune(horizonMs: number): void {
    if (this.#states.size + this.#flatRevisions.size < PRUNE_GROWTH * this.#sizeAfterPrune + MIN_PRUNE_SIZE)
      return;
    const keptFromMs = Math.max(this.#keptFromMs, this.openOf(horizonMs));
    const last = this.lastBefore(keptFromMs);
    this.#keptFromMs = keptFromMs;
    for (const [openMs, state] of this.#states) {
      if (openMs >= keptFromMs || state === last) continue;
      this.#states.delete(openMs);
      if (this.#current === state) this.#current = undefined;
    }
    for (const openMs of this.#flatRevisions.keys()) {
      if (openMs < keptFromMs) this.#flatRevisions.delete(openMs);
    }
    this.#sizeAfterPrune = this.#states.size + this.#flatRevisions.size;
  }
}
