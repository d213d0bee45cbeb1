import type { KeyValue, KeyValueListener } from "../bus/key_values.ts";
import { TAKE_AFTER_MS } from "./lease.ts";
import { type LeaseRecord, NOBODY, readRecord } from "./lease_record.ts";
import type { ObservationClock } from "./observation_clock.ts";

/** How a piece may be taken: with which revision, and after which token. */
export interface Opening {
  readonly from: "nobody" | "oneself" | "the dead";
  readonly revision: number;
  readonly token: number;
}

interface Entry {
  /** Absent if the key holds none. */
  readonly record: LeaseRecord | undefined;
  readonly revision: number;
  readonly seenMs: number;
}

export interface LeaseBoardOptions {
  readonly worker: string;
  readonly clock: ObservationClock;
  /** See `WorkerGroupOptions`. */
  readonly newBroker: boolean;
  /** Whether a worker that was seen is connected no more. */
  readonly isGone: (worker: string) => boolean;
  /** Called when the bucket can be read, again after each time that it could not. */
  readonly onStart: () => void;
  /** Called for what was seen; `changed` says that the piece has another owner now. */
  readonly onSeen: (
    piece: string,
    record: LeaseRecord | undefined,
    revision: number,
    changed: boolean,
  ) => void;
}

/** The leases of all workers, as this one sees them. */
export class LeaseBoard implements KeyValueListener {
  readonly #options: LeaseBoardOptions;
  /** By piece; bounded by the size of the bucket. */
  readonly #entries = new Map<string, Entry>();
  #startedMs: number | undefined;
  #starts = 0;

  constructor(options: LeaseBoardOptions) {
    this.#options = options;
  }

  /** All observations start anew: others could not renew while the bucket was away. */
  onStart(): void {
    this.#entries.clear();
    this.#starts++;
    this.#startedMs = this.#options.clock.look();
    this.#options.onStart();
  }

  onValue({ key, value, revision }: KeyValue): void {
    this.note(key, readRecord(value), revision);
  }

  /** Takes note of what was seen, or what this worker wrote itself and is to see later. */
  note(piece: string, record: LeaseRecord | undefined, revision: number): void {
    const before = this.#entries.get(piece);
    if (before !== undefined && revision <= before.revision) return;
    this.#entries.set(piece, { record, revision, seenMs: this.#options.clock.look() });
    const changed = before?.record?.owner !== record?.owner || before?.record?.token !== record?.token;
    this.#options.onSeen(piece, record, revision, changed);
  }

  /** Who has what; those who hold a piece no more too, until somebody else does. */
  owners(): Map<string, string> {
    const owners = new Map<string, string>();
    for (const [piece, { record }] of this.#entries) {
      if (record !== undefined && record.owner !== NOBODY) owners.set(piece, record.owner);
    }
    return owners;
  }

  /** The latest revision of a piece that was seen; 0 if there is none. */
  revisionOf(piece: string): number {
    return this.#entries.get(piece)?.revision ?? 0;
  }

  /**
   * How to take a piece, or nothing if somebody may hold it. A key that is missing or unreadable proves nothing, since
   * what was given back says so: whoever deleted it, a holder may believe in its lease for as long as any other.
   */
  openingOf(piece: string): Opening | undefined {
    const { worker, clock, newBroker, isGone } = this.#options;
    if (this.#startedMs === undefined) return undefined;
    const { record, revision, seenMs } = this.#entries.get(piece) ?? this.#missing(this.#startedMs);
    const token = record?.token ?? 0;
    if (record?.owner === NOBODY) return { from: "nobody", revision, token };
    if (record?.owner === worker) return { from: "oneself", revision, token };
    if (revision === 0 && newBroker && this.#starts === 1) return { from: "nobody", revision, token };
    const isOver = clock.look() - seenMs >= TAKE_AFTER_MS || (record?.seen && isGone(record.owner));
    return isOver ? { from: record === undefined ? "nobody" : "the dead", revision, token } : undefined;
  }

  #missing(seenMs: number): Entry {
    return { record: undefined, revision: 0, seenMs };
  }
}
