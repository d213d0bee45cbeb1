import { type NumberedMessage, type ReadLife, SequenceLedger, type SequenceNews } from "./sequence_ledger.ts";

/** A ledger for each venue: lives of publishers of different venues may have the same epoch. */
export class VenueLedgers {
  /** Bounded by the venues that there are. */
  readonly #ledgers = new Map<string, SequenceLedger>();

  /** Takes note of a message. */
  observe(venue: string, message: NumberedMessage): SequenceNews {
    let ledger = this.#ledgers.get(venue);
    if (ledger === undefined) {
      ledger = new SequenceLedger();
      this.#ledgers.set(venue, ledger);
    }
    return ledger.observe(message);
  }

  /** By venue the lives of which every message said what it held. */
  *lives(): Iterable<readonly [venue: string, Iterable<ReadLife>]> {
    for (const [venue, ledger] of this.#ledgers) yield [venue, ledger.lives()];
  }
}
