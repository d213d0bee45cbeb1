import type { KeyValues } from "../bus/key_values.ts";
import { LEASE_MS, type Lease, type LeaseEnd, LeaseEndError } from "./lease.ts";
import { encodeRecord, type LeaseRecord, NOBODY } from "./lease_record.ts";

const RENEW_MS = 1_000;
const RETRY_MS = 200;
const RELEASE_ATTEMPTS = 3;
/** Of a key that is not there. */
const NO_REVISION = 0;

export interface HoldingOptions {
  readonly piece: string;
  readonly record: LeaseRecord;
  readonly bucket: KeyValues;
  /** Of the key when it was taken. */
  readonly revision: number;
  /** Whether the others see that this worker is connected. */
  readonly isSeen: () => boolean;
  /** When taking it was sent, by `performance.now`. */
  readonly sentMs: number;
}

/**
 * A lease from the side of its holder. Each renewal swaps the revision of the one before, so the server refuses it
 * once the key was touched by anybody else. The right itself ends by the holder's own clock, and at once with the
 * connection; it comes back with a renewal, since then nobody had the piece in between.
 */
export class Holding implements Lease {
  readonly piece: string;
  readonly #record: LeaseRecord;
  readonly #bucket: KeyValues;
  readonly #isSeen: () => boolean;
  readonly #ended = new AbortController();
  #revision: number;
  #validUntilMs: number;
  #renewAtMs: number;
  #renewal: Promise<void> | undefined;
  /** The revision that the server did not find. */
  #refused: number | undefined;
  #end: LeaseEnd | undefined;
  #over = false;

  constructor({ piece, record, bucket, isSeen, revision, sentMs }: HoldingOptions) {
    this.piece = piece;
    this.#record = record;
    this.#bucket = bucket;
    this.#isSeen = isSeen;
    this.#revision = revision;
    this.#validUntilMs = sentMs + LEASE_MS;
    this.#renewAtMs = sentMs + RENEW_MS;
  }

  get token(): number {
    return this.#record.token;
  }

  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  get end(): LeaseEnd | undefined {
    return this.#end;
  }

  isHeld(): boolean {
    return performance.now() < this.#validUntilMs;
  }

  isOver(): boolean {
    return this.#over;
  }

  /** Renews the lease when it is time to. */
  look(): void {
    if (this.#over || this.#renewal !== undefined || performance.now() < this.#renewAtMs) return;
    this.#renewal = this.#renew().finally(() => {
      this.#renewal = undefined;
    });
  }

  /** It is not held until it is renewed, which is tried at the next look: others may take it meanwhile. */
  suspend(): void {
    this.#validUntilMs = 0;
    this.#renewAtMs = 0;
  }

  /** Takes note of what the key holds. */
  onSeen(record: LeaseRecord | undefined, revision: number): void {
    if (revision <= this.#revision) return;
    const isOwn = record?.owner === this.#record.owner && record.token === this.token;
    if (isOwn) {
      // A renewal of which only the answer was lost.
      this.#revision = revision;
    } else if (record === undefined && this.isHeld()) {
      // Somebody deleted it by hand. Nobody takes it before this right has ended.
      this.#revision = revision;
      this.#renewAtMs = 0;
    } else this.finish("lost");
  }

  /** Tells the user that the work shall end. Only a loss can follow another end: the user learns it from `isOver`. */
  finish(end: LeaseEnd): void {
    if (end === "lost") this.#over = true;
    if (this.#over) this.#validUntilMs = 0;
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#ended.abort(new LeaseEndError(this.piece, end));
  }

  /** Gives the piece back: it is not held from now on. Resolves to the key's revision, or nothing if it is lost. */
  async release(): Promise<number | undefined> {
    const wasOver = this.#over;
    this.#over = true;
    this.#validUntilMs = 0;
    await this.#renewal;
    if (wasOver) return undefined;
    const value = encodeRecord({ owner: NOBODY, token: this.token, seen: false });
    for (let attempt = 1; attempt <= RELEASE_ATTEMPTS; attempt++) {
      const swap = await this.#bucket.swap(this.piece, value, this.#revision);
      if (typeof swap !== "string") return swap.revision;
      if (swap === "conflict") break;
    }
    return undefined;
  }

  async #renew(): Promise<void> {
    let sentMs = performance.now();
    const seen = this.#isSeen();
    const revision = this.#revision;
    const value = encodeRecord({ ...this.#record, seen });
    let swap = await this.#bucket.swap(this.piece, value, revision);
    let isNewKey = false;
    if (swap === "conflict" && this.isHeld()) {
      // The bucket may have been deleted or purged by hand. Nobody takes the piece before this right has ended.
      sentMs = performance.now();
      swap = await this.#bucket.swap(this.piece, value, NO_REVISION);
      isNewKey = typeof swap !== "string";
    }
    if (swap === "conflict") this.#onConflict(revision);
    if (typeof swap === "string") {
      this.#renewAtMs = performance.now() + RETRY_MS;
      return;
    }
    this.#revision = isNewKey ? swap.revision : Math.max(this.#revision, swap.revision);
    // Who is not seen any more must say so first: until then others may believe that it is gone.
    const isTrue = !seen || this.#isSeen();
    if (!this.#over && isTrue) this.#validUntilMs = sentMs + LEASE_MS;
    this.#renewAtMs = isTrue ? sentMs + RENEW_MS : 0;
  }

  /** Somebody else has the piece, or an answer was lost: what is seen tells, or if that does not come, the clock. */
  #onConflict(revision: number): void {
    const isRepeated = this.#refused === revision;
    this.#refused = revision;
    if (isRepeated && !this.isHeld()) this.finish("lost");
  }
}
