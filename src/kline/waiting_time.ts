/** How much two clocks may drift apart, ms a ms. */
const MAX_DRIFT = 1e-4;
/** Most publisher lives that are remembered at a time; the one that was first heard of is forgotten first. */
const MAX_EPOCHS = 8;

/** The shortest way that a publisher's messages took, by its clock and ours, and when it was measured. */
interface Shortest {
  lengthMs: number;
  atMs: number;
}

/**
 * How long messages waited for a reader that is behind: by how much their way from the publisher was longer than the
 * shortest one. Only differences count, so that the clocks of two hosts need not agree.
 */
export class WaitingTime {
  /** By epoch. */
  readonly #shortest = new Map<number, Shortest>();

  /** How long a message waited that was sent at `sentMs` by the publisher's clock and is read now, ms. */
  of(epoch: number, sentMs: number, monotonicMs: number): number {
    const lengthMs = monotonicMs - sentMs;
    const shortest = this.#shortest.get(epoch);
    if (shortest === undefined) {
      if (this.#shortest.size >= MAX_EPOCHS) this.#shortest.delete(this.#shortest.keys().next().value!);
      this.#shortest.set(epoch, { lengthMs, atMs: monotonicMs });
      return 0;
    }
    const waitedMs = lengthMs - shortest.lengthMs - MAX_DRIFT * (monotonicMs - shortest.atMs);
    if (waitedMs > 0) return waitedMs;
    shortest.lengthMs = lengthMs;
    shortest.atMs = monotonicMs;
    return 0;
  }
}
