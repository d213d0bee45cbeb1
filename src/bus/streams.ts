import { DiscardPolicy, NatsError, RetentionPolicy, StorageType, type StreamConfig } from "nats";
import type { Bus } from "./connection.ts";

const NS_PER_MS = 1_000_000;
const MAX_MESSAGE_BYTES = 1024 * 1024;
const LIVE_MAX_AGE_MS = 3_600_000;
const LIVE_MAX_BYTES = 64 * 1024 * 1024;
/** JetStream API errors: the name is taken with another configuration; the server has not that much memory. */
const NAME_IN_USE = 10058;
const TOO_LITTLE_MEMORY = 10028;
const TOO_LITTLE_STORAGE = 10047;

export type StreamName = "TICKS" | "CANDLES" | "LIVE";

/** How much a stream keeps. */
export interface StreamLimits {
  readonly maxAgeMs: number;
  readonly maxBytes: number;
}

export interface StreamsOptions {
  readonly ticks: StreamLimits;
  readonly candles: StreamLimits;
}

/** Creates the streams of the pipeline where they are missing, and gives them the limits that are configured. */
export class Streams {
  readonly #bus: Bus;
  readonly #configs: Readonly<Record<StreamName, Partial<StreamConfig>>>;
  readonly #running = new Map<StreamName, Promise<void>>();

  constructor(bus: Bus, options: StreamsOptions) {
    this.#bus = bus;
    this.#configs = {
      TICKS: {
        ...common("TICKS", "ticks.>"),
        ...limits(options.ticks),
        storage: StorageType.Memory,
      },
      CANDLES: {
        ...common("CANDLES", "candles.>"),
        ...limits(options.candles),
        storage: StorageType.File,
        allow_direct: true,
      },
      LIVE: {
        ...common("LIVE", "live.>"),
        ...limits({ maxAgeMs: LIVE_MAX_AGE_MS, maxBytes: LIVE_MAX_BYTES }),
        storage: StorageType.Memory,
        max_msgs_per_subject: 1,
        allow_direct: true,
      },
    };
  }

  /**
   * Makes sure that a stream is there as configured. Calls at the same time share one request.
   *
   * @throws {Error} if the server refuses; the message says what to change
   */
  ensure(name: StreamName): Promise<void> {
    let running = this.#running.get(name);
    if (running === undefined) {
      running = this.#ensure(name).finally(() => this.#running.delete(name));
      this.#running.set(name, running);
    }
    return running;
  }

  async #ensure(name: StreamName): Promise<void> {
    const config = this.#configs[name];
    try {
      await this.#bus.streams.streams.add(config);
    } catch (error) {
      if (codeOf(error) === NAME_IN_USE) {
        await this.#bus.streams.streams.update(name, config);
        return;
      }
      if (codeOf(error) === TOO_LITTLE_MEMORY || codeOf(error) === TOO_LITTLE_STORAGE) {
        throw new Error(
          `Cannot create stream "${name}" of ${config.max_bytes} bytes: the server has less left; ` +
            `lower ${name === "CANDLES" ? "CANDLE_MAX_BYTES" : "TICK_MAX_BYTES"} or raise the server's limits`,
          { cause: error },
        );
      }
      throw error;
    }
  }
}

function common(name: StreamName, subject: string): Partial<StreamConfig> {
  return {
    name,
    subjects: [subject],
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    num_replicas: 1,
    max_msg_size: MAX_MESSAGE_BYTES,
  };
}

function limits({ maxAgeMs, maxBytes }: StreamLimits): Partial<StreamConfig> {
  const maxAgeNs = maxAgeMs * NS_PER_MS;
  // A stream must not remember message ids for longer than it keeps messages.
  const windowNs = Math.min(maxAgeNs, 1_000 * NS_PER_MS);
  return { max_age: maxAgeNs, max_bytes: maxBytes, duplicate_window: windowNs };
}

function codeOf(error: unknown): number | undefined {
  return error instanceof NatsError ? error.api_error?.err_code : undefined;
}
