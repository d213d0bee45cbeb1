import type { Positions } from "../bus/sequence_ledger.ts";

/** Tells whether a market has a message. */
export type Knows = (market: string) => boolean;

/**
 * How far each market had come in the snapshots that a life goes on from. They were taken one after the other, and of
 * some markets there is none: the messages that are read again are news to some markets and known to others.
 */
export class Resumption {
  readonly #positions: ReadonlyMap<string, Positions>;
  /** The highest and the lowest number of each epoch that any of the markets has. */
  readonly #ends = new Map<number, number>();
  readonly #common = new Map<number, number>();

  constructor(positions: ReadonlyMap<string, Positions>) {
    this.#positions = positions;
    for (const own of positions.values()) {
      for (const [epoch, seq] of own) this.#ends.set(epoch, Math.max(this.#ends.get(epoch) ?? 0, seq));
    }
    for (const epoch of this.#ends.keys()) {
      const reached = [...positions.values()].map((own) => own.get(epoch) ?? 0);
      this.#common.set(epoch, Math.min(...reached));
    }
  }

  /** How many messages some market lacks before the first one of an epoch that is read; undefined if none has the epoch. */
  missedBefore(epoch: number, seq: number): number | undefined {
    const common = this.#common.get(epoch);
    return common === undefined ? undefined : Math.max(0, seq - 1 - common);
  }

  /** Tells which markets have a message and all before it; undefined when none has. */
  knows(epoch: number, seq: number): Knows | undefined {
    if (seq > (this.#ends.get(epoch) ?? 0)) return undefined;
    return (market) => this.#positionOf(market, epoch) >= seq;
  }

  /** The positions of a market: what its snapshot had, and what was read since. */
  positionsOf(market: string, read: Positions): Positions {
    const positions = new Map(this.#positions.get(market));
    for (const [epoch, seq] of read) positions.set(epoch, Math.max(positions.get(epoch) ?? 0, seq));
    return positions;
  }

  #positionOf(market: string, epoch: number): number {
    return this.#positions.get(market)?.get(epoch) ?? 0;
  }
}
