import type { Tally } from "../observe/tally.ts";
import { AckedPublisher, type FailureCause } from "./acked_publisher.ts";
import type { Bus } from "./connection.ts";
import type { Streams } from "./streams.ts";

/** Most batches under way; a second's worth at the highest rate that one process reaches. */
const MAX_OUTSTANDING = 2_000;
const CONGESTED_OUTSTANDING = 1_500;

/**
 * Publishes tick batches at most once. What cannot be sent or is not stored is counted by cause and never sent
 * again: the reader sees the gap in the numbering, and a late tick would only be stale.
 */
export class TickPublisher {
  readonly #bus: Bus;
  readonly #streams: Streams;
  readonly #publisher: AckedPublisher;
  readonly #dropped: Tally;
  #stored = 0;
  #wake: (() => void) | undefined;

  /** @param dropped counts the batches that were lost, by cause */
  constructor(bus: Bus, streams: Streams, dropped: Tally) {
    this.#bus = bus;
    this.#streams = streams;
    this.#dropped = dropped;
    this.#publisher = new AckedPublisher(bus, {
      onStored: () => this.#settle(),
      onFailed: (_token, cause) => this.#onFailed(cause),
    });
  }

  /** Batches that the stream has confirmed. */
  get storedBatches(): number {
    return this.#stored;
  }

  /** Whether the broker lags so far behind that the sender had better wait. */
  get congested(): boolean {
    return this.#bus.connected && this.#publisher.outstanding >= CONGESTED_OUTSTANDING;
  }

  /** Sends a batch, unless there is no room or no connection; then it is counted as dropped. */
  tryPublish(subject: string, data: Uint8Array): boolean {
    if (!this.#bus.connected) {
      this.#dropped.add("disconnected");
      return false;
    }
    if (this.#publisher.outstanding >= MAX_OUTSTANDING) {
      this.#dropped.add("window_full");
      return false;
    }
    this.#publisher.publish(subject, data);
    return true;
  }

  /** Resolves when the publisher is not congested any more, or the signal is aborted. */
  async waitForRoom(signal: AbortSignal): Promise<void> {
    const onAbort = () => this.#wake?.();
    signal.addEventListener("abort", onAbort);
    while (this.congested && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    signal.removeEventListener("abort", onAbort);
  }

  /** Waits until every batch is settled, or the signal is aborted. */
  async settled(signal: AbortSignal): Promise<void> {
    const onAbort = () => this.#wake?.();
    signal.addEventListener("abort", onAbort);
    while (this.#publisher.outstanding > 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    signal.removeEventListener("abort", onAbort);
  }

  close(): void {
    this.#publisher.close();
  }

  #settle(): void {
    this.#stored++;
    this.#wake?.();
  }

  #onFailed(cause: FailureCause): void {
    this.#dropped.add(cause);
    if (cause === "no_stream") {
      this.#streams.ensure("TICKS").catch((error: unknown) => {
        this.#bus.log.warn({ err: error }, "cannot create the tick stream");
      });
    }
    this.#wake?.();
  }
}
