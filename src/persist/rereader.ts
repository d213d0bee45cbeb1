import type { Bus } from "../bus/connection.ts";
import { type BusMessage, type ReadOptions, readStream } from "../bus/stream_reader.ts";
import type { Streams } from "../bus/streams.ts";

/** Reads a stream for ever, and all over again, from its oldest message on, when it is told to. */
export class Rereader {
  /** How often it began again because it was told to. */
  rereads = 0;
  #turn = new AbortController();

  /** Has {@link read} begin again with the oldest message. */
  restart(): void {
    this.#turn.abort();
  }

  /** @param onRestart called before the oldest message comes again */
  async *read(
    bus: Bus,
    streams: Streams,
    options: ReadOptions & { readonly onRestart: () => void },
  ): AsyncGenerator<BusMessage> {
    const { signal, onRestart } = options;
    for (;;) {
      const turn = new AbortController();
      this.#turn = turn;
      // Not AbortSignal.any: on Node 20 its result may be collected before it fires.
      const onAbort = () => turn.abort();
      signal.addEventListener("abort", onAbort);
      if (signal.aborted) onAbort();
      try {
        for await (const message of readStream(bus, streams, { ...options, signal: turn.signal })) {
          yield message;
        }
      } finally {
        signal.removeEventListener("abort", onAbort);
      }
      if (signal.aborted) return;
      this.rereads++;
      onRestart();
    }
  }
}
