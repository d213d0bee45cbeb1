import { setTimeout as delay } from "node:timers/promises";
import { AckPolicy, DeliverPolicy, DiscardPolicy, type Msg, nuid, StorageType } from "nats";
import { API_ERROR, apiErrorOf, isNobodyThere, isWrongLastSequence } from "./api_error.ts";
import type { Bus } from "./connection.ts";
import { PullQueue } from "./pull_queue.ts";
import { sequenceOf } from "./stream_sequence.ts";

const NS_PER_MS = 1_000_000;
const SWAP_TIMEOUT_MS = 1_000;
const RETRY_MS = 200;
const CONSUMER_EXPIRY_MS = 10_000;
const MAX_BYTES = 8 * 1024 * 1024;

/** A value as it was written; that of a key that was deleted by hand is empty. */
export interface KeyValue {
  readonly key: string;
  readonly value: Uint8Array;
  /** Of this writing: no other one in the bucket, of any key, has it. */
  readonly revision: number;
}

/**
 * What became of a compare-and-swap: the new revision, or nothing was written because the key has another revision.
 * After `unknown` it may have been written all the same.
 */
export type Swap = { readonly revision: number } | "conflict" | "unknown";

/** Told what a bucket holds. */
export interface KeyValueListener {
  /** All that was told before may be out of date; what the bucket holds now follows. */
  onStart(): void;
  onValue(value: KeyValue): void;
}

/**
 * A key-value bucket in a file, so that it outlives its server; `nats kv` shows it. It is read as any other stream
 * and written only by compare-and-swap, which the server decides alone.
 */
export class KeyValues {
  readonly #bus: Bus;
  readonly #stream: string;
  readonly #prefix: string;
  #reread = new AbortController();

  constructor(bus: Bus, bucket: string) {
    this.#bus = bus;
    this.#stream = `KV_${bucket}`;
    this.#prefix = `$KV.${bucket}.`;
  }

  /** Writes a key that has the given revision, 0 for one that was never written. Never throws. */
  async swap(key: string, value: Uint8Array, revision: number): Promise<Swap> {
    if (!this.#bus.connected) return "unknown";
    let stopListening = () => {};
    const lost = new Promise<"unknown">((resolve) => {
      stopListening = this.#bus.listen({ onLost: () => resolve("unknown") });
    });
    try {
      return await Promise.race([this.#publish(key, value, revision), lost]);
    } finally {
      stopListening();
    }
  }

  /** Tells what the bucket holds and every change, until the signal is aborted; creates it where it is missing. */
  async follow(listener: KeyValueListener, signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      await this.#bus.untilConnected(signal);
      this.#reread = new AbortController();
      try {
        await this.#ensure();
        await this.#followOnce(listener, AbortSignal.any([signal, this.#reread.signal]));
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        const level = failures++ === 10 ? "warn" : "debug";
        this.#bus.log[level]({ err: error, stream: this.#stream }, "bucket is read anew");
        await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** Makes {@link follow} begin anew: for those who find that the bucket holds something else than they were told. */
  reread(): void {
    this.#reread.abort();
  }

  async #publish(key: string, value: Uint8Array, revision: number): Promise<Swap> {
    try {
      const { seq } = await this.#bus.connection.jetstream().publish(`${this.#prefix}${key}`, value, {
        expect: { lastSubjectSequence: revision },
        timeout: SWAP_TIMEOUT_MS,
      });
      return { revision: seq };
    } catch (error) {
      if (isWrongLastSequence(error)) return "conflict";
      // Nobody hears it: the bucket is gone, and whoever follows it has yet to notice.
      if (isNobodyThere(error)) this.reread();
      return "unknown";
    }
  }

  /** As `nats kv add` would make it; one that is there is taken as it is. */
  async #ensure(): Promise<void> {
    const { streams } = this.#bus.streams;
    await streams
      .add({
        name: this.#stream,
        subjects: [`${this.#prefix}>`],
        storage: StorageType.File,
        discard: DiscardPolicy.New,
        max_msgs_per_subject: 1,
        max_bytes: MAX_BYTES,
        num_replicas: 1,
        allow_rollup_hdrs: true,
        allow_direct: true,
      })
      .catch((error: unknown) => {
        if (apiErrorOf(error) !== API_ERROR.nameInUse) throw error;
      });
  }

  async #followOnce(listener: KeyValueListener, signal: AbortSignal): Promise<void> {
    const consumer = `keys-${nuid.next().slice(-8)}`;
    await this.#bus.streams.consumers.add(this.#stream, {
      name: consumer,
      ack_policy: AckPolicy.None,
      deliver_policy: DeliverPolicy.LastPerSubject,
      filter_subject: `${this.#prefix}>`,
      inactive_threshold: CONSUMER_EXPIRY_MS * NS_PER_MS,
      mem_storage: true,
      num_replicas: 1,
    });
    const queue = new PullQueue(this.#bus, this.#stream, consumer);
    try {
      listener.onStart();
      while (!signal.aborted) {
        const message = queue.take();
        if (message === undefined) await queue.filled(signal);
        else listener.onValue(this.#toKeyValue(message));
      }
    } finally {
      queue.close();
      if (this.#bus.connected)
        await this.#bus.streams.consumers.delete(this.#stream, consumer).catch(() => false);
    }
  }

  #toKeyValue({ subject, data, reply }: Msg): KeyValue {
    return { key: subject.slice(this.#prefix.length), value: data, revision: sequenceOf(reply) };
  }
}
