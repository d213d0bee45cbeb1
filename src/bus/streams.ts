import { DiscardPolicy, ErrorCode, NatsError, RetentionPolicy, StorageType, type StreamConfig } from "nats";
import { API_ERROR, apiErrorOf } from "./api_error.ts";
import type { Bus } from "./connection.ts";

const NS_PER_MS = 1_000_000;
const MAX_MESSAGE_BYTES = 1024 * 1024;
const LIVE_MAX_AGE_MS = 3_600_000;
const LIVE_MAX_BYTES = 64 * 1024 * 1024;
/** Who comes back later than this begins anew. */
const SNAPSHOT_MAX_AGE_MS = 3_600_000;
const SNAPSHOT_MAX_BYTES = 128 * 1024 * 1024;
/** After a failure the server is not asked again for this long. */
const REPAIR_INTERVAL_MS = 250;

export type StreamName = "TICKS" | "CANDLES" | "LIVE" | "SNAPSHOTS";

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
  readonly #failures = new Map<StreamName, { readonly atMs: number; readonly message: string }>();
  /** Those that were asked for: they are looked after for as long as the connection lives. */
  readonly #wanted = new Set<StreamName>();
  /** Those of which it was said that this user may not change them. */
  readonly #foreign = new Set<StreamName>();

  constructor(bus: Bus, options: StreamsOptions) {
    this.#bus = bus;
    // A memory stream and its configuration are gone when its server has restarted (nats-server issue 6207).
    bus.listen({
      onRestored: () => {
        for (const name of this.#wanted) void this.repair(name);
      },
    });
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
      SNAPSHOTS: {
        ...common("SNAPSHOTS", "snapshots.>"),
        ...limits({ maxAgeMs: SNAPSHOT_MAX_AGE_MS, maxBytes: SNAPSHOT_MAX_BYTES }),
        // Who goes on after an outage that outlasted the leases must know which candles were open, and which came next.
        storage: StorageType.File,
        max_msgs_per_subject: 1,
      },
    };
  }

  /**
   * Makes sure that a stream is there as configured. Calls at the same time share one request.
   *
   * @throws {Error} if the server refuses; the message says what to change
   */
  ensure(name: StreamName): Promise<void> {
    this.#wanted.add(name);
    let running = this.#running.get(name);
    if (running === undefined) {
      running = this.#ensure(name).finally(() => this.#running.delete(name));
      this.#running.set(name, running);
    }
    return running;
  }

  /**
   * As {@link ensure}, for those who find a stream missing and will ask again: it never throws, logs a failure once,
   * and asks the server at most four times a second.
   *
   * @returns whether the stream is there
   */
  async repair(name: StreamName): Promise<boolean> {
    const failure = this.#failures.get(name);
    if (failure !== undefined && performance.now() - failure.atMs < REPAIR_INTERVAL_MS) return false;
    try {
      await this.ensure(name);
      this.#failures.delete(name);
      return true;
    } catch (error) {
      const message = String(error);
      if (this.#failures.get(name)?.message !== message) {
        this.#bus.log.warn({ err: error, stream: name }, "stream is missing");
      }
      this.#failures.set(name, { atMs: performance.now(), message });
      return false;
    }
  }

  async #ensure(name: StreamName): Promise<void> {
    const config = this.#configs[name];
    const { streams } = this.#bus.streams;
    try {
      await streams.add(config).catch((error: unknown) => {
        if (apiErrorOf(error) !== API_ERROR.nameInUse) throw error;
        return this.#update(name);
      });
    } catch (error) {
      throw new Error(`Cannot set up stream "${name}": ${reasonOf(error, name, config)}`, { cause: error });
    }
  }

  /** Gives a stream the configured limits; who reads it and may not change it takes it as it is. */
  async #update(name: StreamName): Promise<void> {
    try {
      await this.#bus.streams.streams.update(name, this.#configs[name]);
    } catch (error) {
      if (!(error instanceof NatsError && error.code === ErrorCode.PermissionsViolation)) throw error;
      if (this.#foreign.has(name)) return;
      this.#foreign.add(name);
      this.#bus.log.warn(
        { stream: name },
        "stream has other limits than configured here, and stays as it is",
      );
    }
  }
}

function reasonOf(error: unknown, name: StreamName, config: Partial<StreamConfig>): string {
  const code = apiErrorOf(error);
  const { tooLittleMemory, tooLittleStorage, tooLittleForAccount } = API_ERROR;
  if (code !== tooLittleMemory && code !== tooLittleStorage && code !== tooLittleForAccount) {
    return error instanceof Error ? error.message : String(error);
  }
  return (
    `the server has less than its ${config.max_bytes} bytes left; ` +
    `lower ${name === "CANDLES" ? "CANDLE_MAX_BYTES" : "TICK_MAX_BYTES"} or raise the server's limits`
  );
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
