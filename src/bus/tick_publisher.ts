import type { Tally } from "../observe/tally.ts";
import { AckedPublisher, type FailureCause } from "./acked_publisher.ts";
import type { Bus } from "./connection.ts";
import type { Streams } from "./streams.ts";
import { Waiters } from "./waiters.ts";

/** Most batches under way; a second's worth at the highest rate that one process reaches. */
const MAX_OUTSTANDING = 2_000;
const CONGESTED_OUTSTANDING = 1_500;

/** Told what became of a batch, once. */
export interface BatchListener {
  onStored(): void;
  onDropped(cause: string): void;
  /** It was sent, and nobody knows whether the stream has it. */
  onUnconfirmed(cause: string): void;
}

/**
 * Publishes tick batches at most once. What cannot be sent or is not stored is counted by cause and never sent
 * again: the reader sees the gap in the numbering, and a late tick would only be stale.
 */
export class TickPublisher {
  readonly #bus: Bus;
  readonly #streams: Streams;
  readonly #publisher: AckedPublisher;
  readonly #dropped: Tally;
  readonly #waiters = new Waiters();
  /** Of batches under way, by token. */
  readonly #listeners = new Map<number, BatchListener>();
  #stored = 0;

  /** @param dropped counts the batches that were lost, by cause */
  constructor(bus: Bus, streams: Streams, dropped: Tally) {
    this.#bus = bus;
    this.#streams = streams;
    this.#dropped = dropped;
    this.#publisher = new AckedPublisher(bus, {
      onStored: (token) => {
        this.#stored++;
        this.#takeListener(token)?.onStored();
        this.#waiters.wake();
      },
      onFailed: (token, cause) => this.#onFailed(token, cause),
    });
  }

  /** Batches that the stream has confirmed. */
  get storedBatches(): number {
    return this.#stored;
  }

  /** Batches whose outcome is not known yet. */
  get outstanding(): number {
    return this.#publisher.outstanding;
  }

  /** Whether the broker lags so far behind that the sender had better wait. */
  get congested(): boolean {
    return this.#bus.connected && this.#publisher.outstanding >= CONGESTED_OUTSTANDING;
  }

  /** Sends a batch, unless there is no room or no connection; then it is counted as dropped, and its listener told. */
  tryPublish(subject: string, data: Uint8Array, listener?: BatchListener): boolean {
    const obstacle = this.#obstacle(data.length);
    if (obstacle !== undefined) {
      this.#dropped.add(obstacle);
      listener?.onDropped(obstacle);
      return false;
    }
    const token = this.#publisher.publish(subject, data);
    if (listener !== undefined) this.#listeners.set(token, listener);
    return true;
  }

  /** Resolves when the publisher is not congested any more, or the signal is aborted. */
  waitForRoom(signal: AbortSignal): Promise<void> {
    return this.#waiters.until(() => !this.congested, signal);
  }

  /** Waits until every batch is settled, or the signal is aborted. */
  settled(signal: AbortSignal): Promise<void> {
    return this.#waiters.until(() => this.#publisher.outstanding === 0, signal);
  }

  close(): void {
    this.#publisher.close();
  }

  #obstacle(sizeBytes: number): string | undefined {
    if (!this.#bus.connected) return "disconnected";
    if (this.#publisher.outstanding >= MAX_OUTSTANDING) return "window_full";
    const maxBytes = this.#bus.connection.info?.max_payload;
    return maxBytes !== undefined && sizeBytes > maxBytes ? "too_large" : undefined;
  }

  #takeListener(token: number): BatchListener | undefined {
    const listener = this.#listeners.get(token);
    this.#listeners.delete(token);
    return listener;
  }

  #onFailed(token: number, cause: FailureCause): void {
    this.#dropped.add(cause);
    const listener = this.#takeListener(token);
    if (cause === "timeout" || cause === "disconnected") listener?.onUnconfirmed(cause);
    else listener?.onDropped(cause);
    if (cause === "no_stream") void this.#streams.repair("TICKS");
    this.#waiters.wake();
  }
}
