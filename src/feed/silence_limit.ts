/** The limit grows up to this many times its base. */
const MAX_GROWTH = 32;
/** A feed that stays below the base for this many times the base is lively again. */
const STEADY_SPANS = 8;

/**
 * How long a feed may deliver nothing before its connection is taken for dead. Some markets are quiet by nature, and
 * replacing the connection does not make them trade: each cut that brought nothing doubles the limit.
 */
export class SilenceLimit {
  readonly #baseMs: number;
  #limitMs: number;
  #steadySinceMs = Number.NaN;

  constructor(baseMs: number) {
    this.#baseMs = baseMs;
    this.#limitMs = baseMs;
  }

  /** The limit now, ms. */
  get limitMs(): number {
    return this.#limitMs;
  }

  /** Whether the silence at a time is too long; to be asked a few times per base. */
  isExceeded(silentMs: number, nowMs: number): boolean {
    if (silentMs <= this.#baseMs) {
      if (Number.isNaN(this.#steadySinceMs)) this.#steadySinceMs = nowMs;
      else if (nowMs - this.#steadySinceMs > STEADY_SPANS * this.#baseMs) this.#limitMs = this.#baseMs;
      return false;
    }
    this.#steadySinceMs = Number.NaN;
    if (silentMs <= this.#limitMs) return false;
    this.#limitMs = Math.min(2 * this.#limitMs, MAX_GROWTH * this.#baseMs);
    return true;
  }
}
