import type { JetStreamClient } from "nats";
import { API_ERROR, apiErrorOf, isWrongLastSequence } from "./api_error.ts";
import type { Bus } from "./connection.ts";
import type { Streams } from "./streams.ts";

const STREAM = "SNAPSHOTS";
const PUBLISH_TIMEOUT_MS = 2_000;
/** Most requests at a time. */
const PARALLEL = 32;

/** A snapshot as the stream holds it. */
export interface StoredSnapshot {
  readonly subject: string;
  readonly data: Uint8Array;
  /** When the server stored it, ms by its clock. */
  readonly storedMs: number;
  /** Of this writing: whoever writes next must know it. */
  readonly revision: number;
}

/**
 * What became of a snapshot: it has this revision now; somebody else wrote another one; the one that it should replace
 * is gone, as all are when a server with its memory is; or it may not have been stored, and may be tried again.
 */
export type SaveResult =
  | { readonly kind: "stored"; readonly revision: number }
  | { readonly kind: "superseded"; readonly by: StoredSnapshot }
  | { readonly kind: "absent" | "failed" };

/**
 * The latest snapshot of each subject. One is written only by who knows the one before, so an owner that was away
 * for too long cannot overwrite what its successor wrote.
 */
export class Snapshots {
  readonly #bus: Bus;
  readonly #streams: Streams;
  readonly #client: JetStreamClient;

  constructor(bus: Bus, streams: Streams) {
    this.#bus = bus;
    this.#streams = streams;
    this.#client = bus.connection.jetstream({ timeout: PUBLISH_TIMEOUT_MS });
  }

  /** All snapshots of a subject with wildcards. */
  async load(filter: string): Promise<StoredSnapshot[]> {
    const { streams } = this.#bus.streams;
    const { state } = await streams.info(STREAM, { subjects_filter: filter });
    const subjects = Object.keys(state.subjects ?? {});
    const snapshots: StoredSnapshot[] = [];
    for (let first = 0; first < subjects.length; first += PARALLEL) {
      const some = subjects.slice(first, first + PARALLEL).map((subject) => this.#get(subject));
      for (const snapshot of await Promise.all(some)) if (snapshot !== undefined) snapshots.push(snapshot);
    }
    return snapshots;
  }

  /** Writes a snapshot over the one with the given revision; 0: there is none. Never throws. */
  async save(subject: string, data: Uint8Array, revision: number): Promise<SaveResult> {
    if (!this.#bus.connected) return { kind: "failed" };
    try {
      const expect = { streamName: STREAM, lastSubjectSequence: revision };
      const { seq } = await this.#client.publish(subject, data, { expect });
      return { kind: "stored", revision: seq };
    } catch (error) {
      if (isWrongLastSequence(error)) return this.#whatIsThere(subject);
      await this.#streams.repair(STREAM);
      return { kind: "failed" };
    }
  }

  async #whatIsThere(subject: string): Promise<SaveResult> {
    try {
      const by = await this.#get(subject);
      return by === undefined ? { kind: "absent" } : { kind: "superseded", by };
    } catch {
      return { kind: "failed" };
    }
  }

  async #get(subject: string): Promise<StoredSnapshot | undefined> {
    try {
      const message = await this.#bus.streams.streams.getMessage(STREAM, { last_by_subj: subject });
      return { subject, data: message.data, storedMs: message.time.getTime(), revision: message.seq };
    } catch (error) {
      if (apiErrorOf(error) === API_ERROR.noMessage) return undefined;
      throw error;
    }
  }
}
