import { API_ERROR, apiErrorOf } from "../bus/api_error.ts";
import type { Bus } from "../bus/connection.ts";
import type { BusMessage } from "../bus/stream_reader.ts";
import { sequenceOf } from "../bus/stream_sequence.ts";
import type { StreamName } from "../bus/streams.ts";
import { Waiters } from "../bus/waiters.ts";

/** How far a reader of a stream has come: so that a stop can wait for what is there, and for no more. */
export class ReadPosition {
  readonly #bus: Bus;
  readonly #stream: StreamName;
  readonly #filter: string;
  readonly #waiters = new Waiters();
  /** Of the message that was read last; a reader that starts anew goes back. */
  #sequence = 0;

  constructor(bus: Bus, stream: StreamName, filter: string) {
    this.#bus = bus;
    this.#stream = stream;
    this.#filter = filter;
  }

  /** Notes that a message was read. */
  note({ reply }: BusMessage): void {
    this.#sequence = sequenceOf(reply);
    this.#waiters.wake();
  }

  /** Waits until all was read that is in the stream now; false if the signal is aborted first, or NATS is away. */
  async caughtUp(signal: AbortSignal): Promise<boolean> {
    let last: number;
    try {
      last = (await this.#bus.streams.streams.getMessage(this.#stream, { last_by_subj: this.#filter })).seq;
    } catch (error) {
      return apiErrorOf(error) === API_ERROR.noMessage;
    }
    await this.#waiters.until(() => this.#sequence >= last, signal);
    return this.#sequence >= last;
  }
}
