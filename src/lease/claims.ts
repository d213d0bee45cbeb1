import type { KeyValues } from "../bus/key_values.ts";
import type { Tally } from "../observe/tally.ts";
import { Holding } from "./holding.ts";
import type { LeaseBoard, Opening } from "./lease_board.ts";
import { encodeRecord, type LeaseRecord, NOBODY } from "./lease_record.ts";
import type { ObservationClock } from "./observation_clock.ts";

/** A piece is not tried again for this long after an attempt that failed, or after work that ended by itself. */
const PAUSE_MS = 1_000;

export interface ClaimsOptions {
  readonly worker: string;
  readonly bucket: KeyValues;
  readonly board: LeaseBoard;
  readonly clock: ObservationClock;
  /** Whether the others see that this worker is connected. */
  readonly isSeen: () => boolean;
  readonly events: Tally;
  readonly onAcquired: (holding: Holding, from: Opening["from"]) => void;
}

/** Attempts to take pieces, and to give back what cannot be kept; one at a time for each piece. */
export class Claims {
  readonly #options: ClaimsOptions;
  /** By piece. */
  readonly #underWay = new Map<string, Promise<void>>();
  /** By piece: when it may be tried again, by the observation clock. */
  readonly #pausedUntilMs = new Map<string, number>();
  /** By piece: the revision that the server did not find. */
  readonly #refused = new Map<string, number>();

  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  /** Tries to take a piece that is this worker's turn, if nobody can hold it. */
  take(piece: string): void {
    this.#attempt(piece, (opening) => this.#take(piece, opening));
  }

  /** Gives back what this worker lost and is not to have again: the others would take it only after a while. */
  giveBack(piece: string): void {
    this.#attempt(piece, async ({ from, revision, token }) => {
      if (from === "oneself") await this.#swap(piece, { owner: NOBODY, token, seen: false }, revision);
    });
  }

  /** Leaves a piece alone for a while. */
  pause(piece: string): void {
    this.#pausedUntilMs.set(piece, this.#options.clock.look() + PAUSE_MS);
  }

  /** Resolves when no attempt is under way. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay.values());
  }

  #attempt(piece: string, attempt: (opening: Opening) => Promise<void>): void {
    const { board, bucket, clock } = this.#options;
    if (this.#underWay.has(piece) || clock.look() < (this.#pausedUntilMs.get(piece) ?? 0)) return;
    const opening = board.openingOf(piece);
    if (opening === undefined) return;
    if (this.#refused.get(piece) === opening.revision) {
      // The bucket holds something else, and nobody said so: it was purged.
      this.#refused.delete(piece);
      bucket.reread();
      return;
    }
    this.#underWay.set(
      piece,
      attempt(opening).finally(() => this.#underWay.delete(piece)),
    );
  }

  async #take(piece: string, { from, revision, token }: Opening): Promise<void> {
    const { worker, bucket, isSeen, events, onAcquired } = this.#options;
    // The clock makes tokens grow also where the bucket was deleted, and with it what it knew.
    const record = { owner: worker, token: Math.max(token + 1, Date.now()), seen: isSeen() };
    const sentMs = performance.now();
    const newRevision = await this.#swap(piece, record, revision);
    if (newRevision === undefined) return;
    events.add("acquired");
    if (from === "the dead") events.add("taken_from_dead");
    onAcquired(new Holding({ piece, record, bucket, isSeen, revision: newRevision, sentMs }), from);
  }

  /** The new revision, or nothing if the piece is to be tried again later. */
  async #swap(piece: string, record: LeaseRecord, revision: number): Promise<number | undefined> {
    const swap = await this.#options.bucket.swap(piece, encodeRecord(record), revision);
    if (typeof swap !== "string") {
      this.#options.board.note(piece, record, swap.revision);
      return swap.revision;
    }
    this.pause(piece);
    if (swap === "conflict") {
      this.#options.events.add("conflicts");
      this.#refused.set(piece, revision);
    }
    return undefined;
  }
}
