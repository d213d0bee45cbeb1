import type { MarketSnapshot, TickPlace } from "./market_snapshot.ts";

/** Which markets have a snapshot, and up to where in the tick stream those are all that have ticks. */
export class Coverage {
  /** Subjects of snapshots. */
  readonly #saved = new Set<string>();
  #place: TickPlace | undefined;

  /** Every market that has ticks up to there has a snapshot; undefined if it is not known. */
  get place(): TickPlace | undefined {
    return this.#place;
  }

  /** Notes that there is a snapshot. */
  add(subject: string): void {
    this.#saved.add(subject);
  }

  hasAll(subjects: readonly string[]): boolean {
    return subjects.every((subject) => this.#saved.has(subject));
  }

  /** Notes how far the stream was read when there was a snapshot of every market. */
  reach(place: TickPlace | undefined): void {
    this.#place = place;
  }

  /** Notes that snapshots are gone, nobody knows which. */
  clear(): void {
    this.#saved.clear();
    this.#place = undefined;
  }
}

/**
 * The place up to which all ticks of all markets are in snapshots, so that only what follows needs to be read again.
 *
 * @param snapshots all of a shard, the one that was stored last at the end
 * @returns undefined if they do not tell
 */
export function placeToReadAfter(snapshots: readonly MarketSnapshot[]): TickPlace | undefined {
  const places = [snapshots.at(-1)?.covered, ...snapshots.map(({ read }) => read)];
  let first: TickPlace | undefined;
  for (const place of places) {
    if (place === undefined || (first !== undefined && place.created !== first.created)) return undefined;
    if (first === undefined || place.seq < first.seq) first = place;
  }
  return first;
}
