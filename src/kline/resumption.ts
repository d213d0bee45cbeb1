import type { Positions } from "../bus/sequence_ledger.ts";

/**
 * How far each market had come in the snapshots that a life goes on from. They were taken one after the other, so the
 * first messages that are read again are news to some markets and known to others.
 */
export class Resumption {
  readonly #positions: ReadonlyMap<string, Positions>;
  /** The highest number of each epoch that any market has: from there on nothing is known. */
  readonly #ends = new Map<number, number>();

  constructor(positions: ReadonlyMap<string, Positions>) {
    this.#positions = positions;
    for (const own of positions.values()) {
      for (const [epoch, seq] of own) this.#ends.set(epoch, Math.max(this.#ends.get(epoch) ?? 0, seq));
    }
  }

  /** How far all markets had come. */
  get commonPositions(): Positions {
    const common = new Map<number, number>();
    for (const epoch of this.#ends.keys()) {
      const reached = [...this.#positions.values()].map((own) => own.get(epoch) ?? 0);
      common.set(epoch, Math.min(...reached));
    }
    return common;
  }

  /** Tells which markets have a message; undefined when none has, nor will have a later one of its life. */
  knows(epoch: number, seq: number): ((market: string) => boolean) | undefined {
    if (seq > (this.#ends.get(epoch) ?? 0)) {
      this.#ends.delete(epoch);
      return undefined;
    }
    return (market) => (this.#positions.get(market)?.get(epoch) ?? 0) >= seq;
  }

  /** Whether every message that may come is news to all. */
  get isOver(): boolean {
    return this.#ends.size === 0;
  }
}
