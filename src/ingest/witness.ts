import type { Trade } from "../exchange/exchange.ts";

export interface WitnessOptions {
  /** What is judged of a trade: its time, or its id. */
  measure(trade: Trade): number;
  /** The value that is certain by now; NaN at the start. */
  anchor(nowMs: number): number;
  /** A trade further ahead of the anchor needs a witness. */
  readonly maxAhead: number;
  /** At the start, two trades agree if the second is no further ahead of the first. */
  readonly maxApart: number;
  /** Longest wait for a witness since the receipt, ms. */
  readonly waitMs: number;
  /** Longest wait for a witness of the very first trade, ms. */
  readonly firstWaitMs: number;
  /** The trade is plausible, or nothing spoke against it in time. */
  pass(trade: Trade, nowMs: number): void;
  /** The value of a passed trade is certain, so that later ones may be judged by it. */
  settle(trade: Trade, nowMs: number): void;
  /** The trade stands alone. */
  refuse(trade: Trade, side: "ahead" | "behind"): void;
}

interface Held {
  readonly trade: Trade;
  readonly value: number;
  passed: boolean;
}

/**
 * Keeps a single false value from moving what all later trades are judged by. A trade that is far ahead is held, two
 * at the very start and one otherwise, until the next trade shows whether it stands alone.
 */
export class Witness {
  readonly #options: WitnessOptions;
  #first: Held | undefined;
  #second: Held | undefined;

  constructor(options: WitnessOptions) {
    this.#options = options;
  }

  get holds(): boolean {
    return this.#first !== undefined;
  }

  /** Trades that are neither passed nor refused yet. */
  get undecided(): number {
    return [this.#first, this.#second].filter((held) => held?.passed === false).length;
  }

  /** Passes, refuses or holds a trade, and decides on held ones that it speaks for or against. */
  offer(trade: Trade, nowMs: number): void {
    const { anchor, maxAhead, pass, settle, measure } = this.#options;
    const value = measure(trade);
    if (this.#first !== undefined) {
      this.#judge(this.#first, trade, value, nowMs);
    } else if (value <= anchor(nowMs) + maxAhead) {
      pass(trade, nowMs);
      settle(trade, nowMs);
    } else {
      this.#first = hold(trade, value);
    }
  }

  /** Passes what waited for too long. It settles nothing until a later trade agrees. */
  expire(nowMs: number): void {
    const { anchor, firstWaitMs, waitMs } = this.#options;
    const limitMs = Number.isNaN(anchor(nowMs)) ? firstWaitMs : waitMs;
    for (const held of [this.#first, this.#second]) {
      if (held !== undefined && nowMs - held.trade.receivedMs >= limitMs) this.#pass(held, nowMs);
    }
  }

  #judge(first: Held, trade: Trade, value: number, nowMs: number): void {
    const { anchor, maxAhead } = this.#options;
    const second = this.#second;
    if (!Number.isNaN(anchor(nowMs))) {
      this.#release(first, value >= first.value - maxAhead ? undefined : "ahead", nowMs);
    } else if (second === undefined) {
      if (!this.#agree(first.value, value)) {
        this.#second = hold(trade, value);
        return;
      }
      this.#release(first, undefined, nowMs);
    } else {
      this.#judgeThree(first, second, value, nowMs);
    }
    this.offer(trade, nowMs);
  }

  /** Of three first trades the one that stands alone is refused; if all do, they pass from the lowest on. */
  #judgeThree(first: Held, second: Held, value: number, nowMs: number): void {
    const withFirst = this.#agree(first.value, value);
    const withSecond = this.#agree(second.value, value);
    const [lower, upper] = first.value <= second.value ? [first, second] : [second, first];
    if (withFirst !== withSecond) {
      const [good, alone] = withFirst ? [first, second] : [second, first];
      this.#release(good, undefined, nowMs);
      this.#release(alone, alone === upper ? "ahead" : "behind", nowMs);
    } else {
      this.#release(lower, undefined, nowMs);
      this.#first = upper;
      this.#second = undefined;
    }
  }

  #agree(earlier: number, later: number): boolean {
    return later >= earlier - this.#options.maxAhead && later <= earlier + this.#options.maxApart;
  }

  #release(held: Held, refusal: "ahead" | "behind" | undefined, nowMs: number): void {
    this.#first = undefined;
    this.#second = undefined;
    if (refusal === undefined) {
      this.#pass(held, nowMs);
      this.#options.settle(held.trade, nowMs);
    } else if (!held.passed) {
      this.#options.refuse(held.trade, refusal);
    }
  }

  #pass(held: Held, nowMs: number): void {
    if (held.passed) return;
    held.passed = true;
    this.#options.pass(held.trade, nowMs);
  }
}

/** The reader reuses its trade, so that one to keep is copied. */
function hold(trade: Trade, value: number): Held {
  return { trade: { ...trade }, value, passed: false };
}
