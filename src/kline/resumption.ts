import type { Position, Positions } from "../bus/sequence_ledger.ts";

/** Tells whether a market has a message. */
export type Knows = (market: string) => boolean;

const NOTHING: Position = { seq: 0, ticks: 0 };

/**
 * How far each market had come in the snapshots that a life goes on from. They were taken one after the other, and of
 * some markets there is none: the messages that are read again are news to some markets and known to others.
 */
export class Resumption {
  /** By epoch, up to where every one of the markets has the messages. */
  readonly common: Positions;
  readonly #positions: ReadonlyMap<string, Positions>;
  /** The highest number of each epoch that any of the markets has. */
  readonly #ends = new Map<number, number>();

  constructor(positions: ReadonlyMap<string, Positions>) {
    this.#positions = positions;
    for (const own of positions.values()) {
      for (const [epoch, { seq }] of own) this.#ends.set(epoch, Math.max(this.#ends.get(epoch) ?? 0, seq));
    }
    const common = new Map<number, Position>();
    for (const epoch of this.#ends.keys()) {
      const reached = [...positions.values()].map((own) => own.get(epoch) ?? NOTHING);
      common.set(
        epoch,
        reached.reduce((one, other) => (other.seq < one.seq ? other : one)),
      );
    }
    this.common = common;
  }

  /** Tells which markets have a message and all before it; undefined when none has. */
  knows(epoch: number, seq: number): Knows | undefined {
    if (seq > (this.#ends.get(epoch) ?? 0)) return undefined;
    return (market) => (this.#positions.get(market)?.get(epoch)?.seq ?? 0) >= seq;
  }

  /** The positions of a market: what its snapshot had, and what was read since. */
  positionsOf(market: string, read: Positions): Positions {
    const positions = new Map(this.#positions.get(market));
    for (const [epoch, { seq, ticks }] of read) {
      if (seq > (positions.get(epoch)?.seq ?? 0)) positions.set(epoch, { seq, ticks });
    }
    return positions;
  }
}
