import type { Trade } from "../exchange/exchange.ts";

/** Longer than a lease of a frozen process lasts for the others, and the way of what it had in hand, ms. */
const KEPT_MS = 6_000;
/** Most trades that are kept; 40 MB or so. */
const MAX_TRADES = 200_000;

/**
 * The trades of the last seconds, which a standby keeps while another process publishes them: what that one had in
 * hand when it died is in here, and everything since.
 */
export class RecentTrades {
  #trades: Trade[] = [];
  #first = 0;
  #passed = 0;

  /** How many are kept. */
  get size(): number {
    return this.#trades.length - this.#first;
  }

  /** How many are not kept any more, and were not taken. */
  get passed(): number {
    return this.#passed;
  }

  /** Keeps a copy of a trade, and forgets those that are too old by its receipt. */
  add(trade: Trade): void {
    const oldestMs = trade.receivedMs - KEPT_MS;
    while (this.size >= MAX_TRADES || (this.size > 0 && this.#trades[this.#first]!.receivedMs < oldestMs)) {
      this.#first++;
      this.#passed++;
    }
    if (this.#first > 1_024 && this.#first > this.#trades.length / 2) {
      this.#trades = this.#trades.slice(this.#first);
      this.#first = 0;
    }
    this.#trades.push({ ...trade });
  }

  /** Takes all that are kept, in the order of their receipt. */
  take(): readonly Trade[] {
    const taken = this.#trades.slice(this.#first);
    this.#trades = [];
    this.#first = 0;
    return taken;
  }
}
