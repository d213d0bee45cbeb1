import type { Trade } from "../exchange/exchange.ts";
import { IdRanges } from "../market/id_ranges.ts";
import { RENUMBERED_MS } from "../market/renumbering.ts";
import { Tally } from "../observe/tally.ts";
import { Witness } from "./witness.ts";

const MAX_SKEW_MS = 3_600_000;
const MAX_AHEAD_MS = 60_000;
const PAST_MARGIN_MS = 3_600_000;
const MAX_ID_JUMP = 100_000;
const WAIT_MS = 250;
const FIRST_WAIT_MS = 1000;

/** Why a well-formed trade was refused. */
export type GateRejection = "time_skew" | "time_jump" | "time_past" | "id_jump" | "stale_id";

export interface TradeGateOptions {
  /** How many markets there are; trades refer to them by index. */
  readonly markets: number;
  /** How much older than its market's newest trade one may be, ms; see `LATENESS`. */
  readonly latenessMs: number;
  /** Takes every distinct, plausible trade once. The object is reused once the call returns. */
  accept(trade: Trade): void;
  reject(reason: GateRejection, message: string, trade: Trade): void;
}

interface MarketState {
  readonly ids: IdRanges;
  readonly witness: Witness;
  newestMs: number;
  /** The latest trade whose number has been, at a time that has not: one more, and the venue numbers anew. */
  renumbered: Pick<Trade, "id" | "timeMs"> | undefined;
}

/**
 * Lets each distinct trade of a venue through once, whatever the order and however often it comes, and keeps out
 * what cannot be: a single false trade changes nothing but its counter. Judged by the venue's own clock and numbers.
 */
export class TradeGate {
  /** All trades that came, whatever became of them. */
  offered = 0;
  accepted = 0;
  duplicates = 0;
  readonly rejections = new Tally();
  readonly #options: TradeGateOptions;
  readonly #markets: MarketState[] = [];
  readonly #times: Witness;
  /** Markets whose newest trade waits for a witness; at most all of them. */
  readonly #waiting = new Set<Witness>();
  /** Trades that were missing when a market's numbering began anew. */
  #missingBefore = 0;
  #newestMs = Number.NaN;
  #newestSeenMs = 0;

  constructor(options: TradeGateOptions) {
    this.#options = options;
    for (let market = 0; market < options.markets; market++) this.#markets.push(this.#createMarket());
    this.#times = new Witness({
      measure: (trade) => trade.timeMs,
      anchor: (nowMs) => this.#clockMs(nowMs),
      maxAhead: MAX_AHEAD_MS,
      // A replay may begin with a quiet hour.
      maxApart: options.latenessMs + PAST_MARGIN_MS,
      waitMs: WAIT_MS,
      firstWaitMs: FIRST_WAIT_MS,
      pass: (trade, nowMs) => this.#passTime(trade, nowMs),
      settle: (trade, nowMs) => this.#settleTime(trade, nowMs),
      refuse: (trade, side) => this.#reject(side === "ahead" ? "time_jump" : "time_past", trade),
    });
  }

  /** The latest trade time that is certain, ms by the venue's clock; 0 before the first. */
  get newestMs(): number {
    return Number.isNaN(this.#newestMs) ? 0 : this.#newestMs;
  }

  /** Trades that the venue numbered and that have not come, over all markets. */
  get missing(): number {
    return this.#markets.reduce((sum, { ids }) => sum + ids.missing, this.#missingBefore);
  }

  /** Trades that wait for a witness. */
  get held(): number {
    let held = this.#times.undecided;
    for (const witness of this.#waiting) held += witness.undecided;
    return held;
  }

  /** Judges a trade. Its receive time is the local monotonic clock. */
  offer(trade: Trade): void {
    this.offered++;
    this.#judge(trade);
  }

  #judge(trade: Trade): void {
    if (Math.abs(trade.eventMs - trade.timeMs) > MAX_SKEW_MS) this.#reject("time_skew", trade);
    else if (this.#markets[trade.market]!.ids.has(trade.id)) this.#judgeKnown(trade);
    else this.#times.offer(trade, trade.receivedMs);
  }

  /** Decides on what waited for too long; to be called every 50 ms or so. */
  expire(nowMs: number): void {
    if (this.#times.holds) this.#times.expire(nowMs);
    for (const witness of this.#waiting) {
      witness.expire(nowMs);
      if (!witness.holds) this.#waiting.delete(witness);
    }
  }

  /** The venue's clock at a local time; NaN before the first trade. */
  #clockMs(nowMs: number): number {
    return this.#newestMs + (nowMs - this.#newestSeenMs);
  }

  #createMarket(): MarketState {
    const ids = new IdRanges();
    const state: MarketState = {
      ids,
      newestMs: Number.NEGATIVE_INFINITY,
      renumbered: undefined,
      witness: new Witness({
        measure: (trade) => trade.id,
        anchor: () => ids.last,
        maxAhead: MAX_ID_JUMP,
        maxApart: MAX_ID_JUMP,
        waitMs: WAIT_MS,
        firstWaitMs: FIRST_WAIT_MS,
        pass: (trade) => this.#accept(state, trade),
        settle: (trade) => ids.add(trade.id),
        refuse: (trade, side) => this.#reject(side === "ahead" ? "id_jump" : "stale_id", trade),
      }),
    };
    return state;
  }

  #settleTime(trade: Trade, nowMs: number): void {
    // False for the first trade too, when the newest time is NaN.
    if (trade.timeMs <= this.#newestMs) return;
    this.#newestMs = trade.timeMs;
    this.#newestSeenMs = nowMs;
  }

  #passTime(trade: Trade, nowMs: number): void {
    const state = this.#markets[trade.market]!;
    const { ids, witness } = state;
    // The clock of the venue bounds the market's, which a trade without a witness may have set.
    const marketMs = Math.min(state.newestMs, this.#newestMs);
    const newestMs = marketMs > 0 ? marketMs : this.#newestMs;
    if (trade.timeMs < newestMs - this.#options.latenessMs - PAST_MARGIN_MS) {
      this.#reject("time_past", trade);
    } else if (
      trade.id < ids.first &&
      (trade.id < ids.first - MAX_ID_JUMP || trade.timeMs < newestMs - this.#options.latenessMs)
    ) {
      this.#judgeStale(trade);
    } else {
      witness.offer(trade, nowMs);
      if (witness.holds) this.#waiting.add(witness);
    }
  }

  /** A copy is as old as its original. What is newer than all trades of its market is another trade. */
  #judgeKnown(trade: Trade): void {
    if (trade.timeMs > this.#markets[trade.market]!.newestMs) this.#judgeStale(trade);
    else this.duplicates++;
  }

  /** Refuses a trade for its number, or lets the market's numbering begin anew with it. */
  #judgeStale(trade: Trade): void {
    const state = this.#markets[trade.market]!;
    const { newestMs, renumbered } = state;
    const limitMs = this.#clockMs(trade.receivedMs) + MAX_AHEAD_MS;
    if (!(trade.timeMs > newestMs + RENUMBERED_MS && trade.timeMs <= limitMs)) {
      this.#reject("stale_id", trade);
      return;
    }
    const step = renumbered === undefined ? 0 : trade.id - renumbered.id;
    if (renumbered !== undefined && renumbered.timeMs > newestMs && step > 0 && step <= MAX_ID_JUMP) {
      this.#beginAnew(trade.market);
      this.#judge(trade);
      return;
    }
    state.renumbered = { id: trade.id, timeMs: trade.timeMs };
    this.#reject("stale_id", trade);
  }

  #beginAnew(market: number): void {
    const { ids, witness, newestMs } = this.#markets[market]!;
    witness.expire(Number.POSITIVE_INFINITY);
    this.#waiting.delete(witness);
    this.#missingBefore += ids.missing;
    const anew = this.#createMarket();
    anew.newestMs = newestMs;
    this.#markets[market] = anew;
  }

  #accept(state: MarketState, trade: Trade): void {
    // It was new when it came, but its like may have been accepted while it waited for a witness.
    if (state.ids.has(trade.id)) {
      this.duplicates++;
      return;
    }
    this.accepted++;
    if (trade.timeMs > state.newestMs) state.newestMs = trade.timeMs;
    this.#options.accept(trade);
  }

  #reject(reason: GateRejection, trade: Trade): void {
    this.rejections.add(reason);
    const { id, timeMs, eventMs } = trade;
    this.#options.reject(reason, `Cannot accept trade ${id}: T ${timeMs}, E ${eventMs}`, trade);
  }
}
