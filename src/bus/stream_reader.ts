import { setTimeout as delay } from "node:timers/promises";
import { AckPolicy, ConsumerEvents, type ConsumerMessages, DeliverPolicy, nuid } from "nats";
import type { Tally } from "../observe/tally.ts";
import type { Bus } from "./connection.ts";
import type { StreamName, Streams } from "./streams.ts";

const NS_PER_MS = 1_000_000;
const MAX_MESSAGES = 32;
const EXPIRES_MS = 5_000;
const IDLE_HEARTBEAT_MS = 500;
const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 1_000;

/** A message of a stream. */
export interface BusMessage {
  readonly subject: string;
  /** A view into a buffer that the client reuses: decode it before the next message is read. */
  readonly data: Uint8Array;
}

export interface ReadOptions {
  readonly stream: StreamName;
  readonly filter: string;
  /** Begins the consumer's name; `nats consumer ls` shows it. */
  readonly name: string;
  /** An abandoned consumer disappears after this, ms. */
  readonly expiryMs: number;
  /** Counts how often the consumer had to be made anew, by cause. */
  readonly restarts: Tally;
  readonly signal: AbortSignal;
}

/**
 * Reads a stream from its oldest message on with an ack-none pull consumer of its own, for ever. When the consumer,
 * the stream or the server is lost, it makes a new consumer and begins again from the oldest message: the caller
 * drops what it had. It takes no more than a few messages in advance, so a slow caller leaves the backlog in the
 * stream, where its age is bounded.
 */
export async function* readStream(
  bus: Bus,
  streams: Streams,
  options: ReadOptions,
): AsyncGenerator<BusMessage> {
  const { signal, restarts } = options;
  let retryMs = MIN_RETRY_MS;
  while (!signal.aborted) {
    const name = `${options.name}-${nuid.next().slice(-8)}`;
    let messages: ConsumerMessages | undefined;
    const stop = () => void messages?.close();
    try {
      messages = await openConsumer(bus, name, options);
      signal.addEventListener("abort", stop);
      if (signal.aborted) return;
      void watchHeartbeats(messages);
      for await (const message of messages) {
        retryMs = MIN_RETRY_MS;
        yield message;
        if (signal.aborted) return;
      }
      if (!signal.aborted) restarts.add("ended");
    } catch (error) {
      if (signal.aborted) return;
      restarts.add("failed");
      bus.log.info({ err: error, stream: options.stream, consumer: name }, "reader starts anew");
    } finally {
      signal.removeEventListener("abort", stop);
      await messages?.close();
      if (bus.connected) await bus.streams.consumers.delete(options.stream, name).catch(() => false);
    }
    await delay(retryMs, undefined, { signal }).catch(() => undefined);
    retryMs = Math.min(2 * retryMs, MAX_RETRY_MS);
    if (!signal.aborted && bus.connected) {
      await streams.ensure(options.stream).catch((error: unknown) => {
        bus.log.warn({ err: error, stream: options.stream }, "cannot create stream");
      });
    }
  }
}

async function openConsumer(bus: Bus, name: string, options: ReadOptions): Promise<ConsumerMessages> {
  await bus.streams.consumers.add(options.stream, {
    name,
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.All,
    filter_subject: options.filter,
    inactive_threshold: options.expiryMs * NS_PER_MS,
    mem_storage: true,
    num_replicas: 1,
  });
  const consumer = await bus.jetStream.consumers.get(options.stream, name);
  return consumer.consume({
    max_messages: MAX_MESSAGES,
    expires: EXPIRES_MS,
    idle_heartbeat: IDLE_HEARTBEAT_MS,
    abort_on_missing_resource: true,
  });
}

/** A consumer whose heartbeats fail to come is dead; ending it makes the reader start anew. */
async function watchHeartbeats(messages: ConsumerMessages): Promise<void> {
  for await (const { type } of await messages.status()) {
    if (type === ConsumerEvents.HeartbeatsMissed) await messages.close();
  }
}
