import type { Random } from "../../src/simulator/random.ts";
import type { FaultKind } from "./fault_kind.ts";

/** Deals faults at random, each as often as any other: the deck is shuffled anew when all were dealt. */
export class Deck {
  readonly #kinds: readonly FaultKind[];
  readonly #random: Random;
  readonly #cards: FaultKind[] = [];

  constructor(kinds: readonly FaultKind[], random: Random) {
    this.#kinds = kinds;
    this.#random = random;
  }

  /** The next fault of those that a condition allows; undefined if none of the rest of the deck is. */
  deal(isAllowed: (kind: FaultKind) => boolean = () => true): FaultKind | undefined {
    if (this.#cards.length === 0) this.#shuffle();
    const place = this.#cards.findIndex(isAllowed);
    return place < 0 ? undefined : this.#cards.splice(place, 1)[0];
  }

  #shuffle(): void {
    for (const kind of this.#kinds) {
      this.#cards.splice(this.#random.integer(0, this.#cards.length), 0, kind);
    }
  }
}
