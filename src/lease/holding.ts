import type { KeyValues } from "../bus/key_values.ts";
import { LEASE_MS, type Lease, type LeaseEnd, LeaseEndError } from "./lease.ts";
import { encodeRecord, type LeaseRecord, NOBODY } from "./lease_record.ts";

const RENEW_MS = 1_000;
const RETRY_MS = 200;
const RELEASE_ATTEMPTS = 3;

export interface HoldingOptions {
  readonly piece: string;
  readonly record: LeaseRecord;
  readonly bucket: KeyValues;
  /** Of the key when it was taken. */
  readonly revision: number;
  /** When taking it was sent, by `performance.now`. */
  readonly sentMs: number;
}

/**
 * A lease from the side of its holder. Each renewal swaps the revision of the one before, so the server refuses it
 * once the key was touched by anybody else; the right itself ends by the holder's own clock, whoever is reachable.
 */
export class Holding implements Lease {
  readonly piece: string;
  readonly #record: LeaseRecord;
  readonly #bucket: KeyValues;
  readonly #ended = new AbortController();
  #revision: number;
  #validUntilMs: number;
  #renewAtMs: number;
  #renewal: Promise<void> | undefined;
  #end: LeaseEnd | undefined;

  constructor({ piece, record, bucket, revision, sentMs }: HoldingOptions) {
    this.piece = piece;
    this.#record = record;
    this.#bucket = bucket;
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

  get validUntilMs(): number {
    return this.#validUntilMs;
  }

  isHeld(): boolean {
    return performance.now() < this.#validUntilMs;
  }

  /** Renews the lease when it is time to, and notices that it is over. */
  look(): void {
    if (!this.isHeld()) this.finish("lost");
    else if (this.#renewal === undefined && performance.now() >= this.#renewAtMs) {
      this.#renewal = this.#renew().finally(() => {
        this.#renewal = undefined;
      });
    }
  }

  /** Takes note of what the key holds. */
  onSeen(record: LeaseRecord | undefined, revision: number): void {
    if (revision <= this.#revision) return;
    // A renewal of which only the answer was lost.
    if (record?.owner === this.#record.owner && record.token === this.token) this.#revision = revision;
    else this.finish("lost");
  }

  /** Tells the user that the work shall end. Only a loss can follow another end: the user learns it from `isHeld`. */
  finish(end: LeaseEnd): void {
    if (end === "lost") this.#validUntilMs = 0;
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#ended.abort(new LeaseEndError(this.piece, end));
  }

  /** Gives the piece back: it is not held from now on. Resolves to the key's revision, or nothing if it is lost. */
  async release(): Promise<number | undefined> {
    const wasHeld = this.isHeld();
    this.#validUntilMs = 0;
    await this.#renewal;
    if (!wasHeld) return undefined;
    const value = encodeRecord({ owner: NOBODY, token: this.token });
    for (let attempt = 1; attempt <= RELEASE_ATTEMPTS; attempt++) {
      const swap = await this.#bucket.swap(this.piece, value, this.#revision);
      if (typeof swap !== "string") return swap.revision;
      if (swap === "conflict") break;
    }
    return undefined;
  }

  async #renew(): Promise<void> {
    const sentMs = performance.now();
    const swap = await this.#bucket.swap(this.piece, encodeRecord(this.#record), this.#revision);
    if (typeof swap === "string") {
      // Whether somebody else has it or only an answer was lost is seen in the bucket, or the clock ends it.
      this.#renewAtMs = performance.now() + RETRY_MS;
      return;
    }
    this.#revision = Math.max(this.#revision, swap.revision);
    // A right that has ended does not come back, though nobody can have taken it meanwhile.
    if (this.isHeld()) this.#validUntilMs = sentMs + LEASE_MS;
    this.#renewAtMs = sentMs + RENEW_MS;
  }
}
