import { setTimeout as delay } from "node:timers/promises";
import { AckPolicy, DeliverPolicy, nuid } from "nats";
import type { Tally } from "../observe/tally.ts";
import { API_ERROR, apiErrorOf } from "./api_error.ts";
import type { Bus } from "./connection.ts";
import { PullError, PullQueue } from "./pull_queue.ts";
import { sequenceOf } from "./stream_sequence.ts";
import type { StreamName, Streams } from "./streams.ts";

const NS_PER_MS = 1_000_000;
const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 1_000;
const READ_BACK_EXPIRY_MS = 10_000;

/** A message of a stream. */
export interface BusMessage {
  readonly subject: string;
  /** A view into what came from the socket: copy what is kept, or all that came with it is kept too. */
  readonly data: Uint8Array;
  /** The subject of the ack that nobody waits for; it tells the message's number in the stream. */
  readonly reply?: string;
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
  /** Where to begin, if the stream is still the same. @default at its oldest message */
  readonly after?: StreamPlace | undefined;
  /** Told how many messages there are to read, and of which stream, each time that it begins. */
  readonly onBegin?: (begin: { readonly messages: number; readonly created: string }) => void;
  readonly signal: AbortSignal;
}

/** How far a stream was read: one that was made anew begins to count again. */
export interface StreamPlace {
  /** When the stream was made, as the server writes it. */
  readonly created: string;
  /** Of the last message. */
  readonly seq: number;
}

/**
 * Reads a stream from a place, or its oldest message, on with an ack-none pull consumer of its own, for ever. When the
 * consumer, the stream or the server is lost, it makes a new consumer and goes on after the message that was given last,
 * or from the oldest one if the stream is not the same any more. It takes no more than a few messages in advance, so a
 * slow caller leaves the backlog in the stream, where its age is bounded.
 */
export async function* readStream(
  bus: Bus,
  streams: Streams,
  options: ReadOptions,
): AsyncGenerator<BusMessage> {
  const { signal, restarts, stream } = options;
  let retryMs = MIN_RETRY_MS;
  let place: StreamPlace | undefined = options.after;
  while (!signal.aborted) {
    await bus.untilConnected(signal);
    // A name of its own in every life: one that comes late from a life before takes nothing away.
    const consumer = `${options.name}-${nuid.next().slice(-8)}`;
    let queue: PullQueue | undefined;
    let orphaned = false;
    try {
      place = await placeIn(bus, stream, place);
      const count = await addConsumer(bus, consumer, { ...options, afterSeq: place.seq });
      // Another stream has its name since: its messages are not those after the place.
      if ((await placeIn(bus, stream, place)) !== place)
        throw new PullError("no_stream", `Cannot read from "${stream}": it is another one`);
      options.onBegin?.({ messages: count, created: place.created });
      queue = new PullQueue(bus, stream, consumer);
      while (!signal.aborted) {
        const message = queue.take();
        if (message === undefined) {
          await queue.filled(signal);
          continue;
        }
        yield message;
        place = { created: place.created, seq: sequenceOf(message.reply) };
      }
    } catch (error) {
      orphaned = true;
      if (signal.aborted) return;
      restarts.add(causeOf(error));
      bus.log.info({ err: error, stream, consumer }, "reader starts anew");
    } finally {
      queue?.close();
      if (!orphaned && bus.connected) await bus.streams.consumers.delete(stream, consumer).catch(() => false);
    }
    if (signal.aborted) return;
    if (queue?.heard) retryMs = MIN_RETRY_MS;
    await delay(retryMs, undefined, { signal }).catch(() => undefined);
    retryMs = Math.min(2 * retryMs, MAX_RETRY_MS);
    await bus.untilConnected(signal);
    if (!signal.aborted) await streams.repair(stream);
  }
}

export interface ReadBackOptions {
  readonly stream: StreamName;
  readonly filter: string;
  /** Begins the consumer's name. */
  readonly name: string;
  /** Messages that the server stored from then on, ms by its own clock; or only the last one of each subject. */
  readonly sinceMs: number | "last";
  readonly signal: AbortSignal;
}

/**
 * Reads what a stream holds now of the latest past, and ends.
 *
 * @throws {PullError} if the server or the stream is lost meanwhile
 */
export async function* readBack(bus: Bus, options: ReadBackOptions): AsyncGenerator<BusMessage> {
  const { stream, filter, sinceMs, signal } = options;
  const consumer = `${options.name}-${nuid.next().slice(-8)}`;
  const { num_pending } = await bus.streams.consumers.add(stream, {
    ...consumerConfig(consumer, filter, READ_BACK_EXPIRY_MS),
    ...(sinceMs === "last"
      ? { deliver_policy: DeliverPolicy.LastPerSubject }
      : { deliver_policy: DeliverPolicy.StartTime, opt_start_time: new Date(sinceMs).toISOString() }),
  });
  const queue = new PullQueue(bus, stream, consumer);
  try {
    for (let left = num_pending; left > 0 && !signal.aborted; ) {
      const message = queue.take();
      if (message === undefined) {
        await queue.filled(signal);
        continue;
      }
      left--;
      yield message;
    }
  } finally {
    queue.close();
    if (bus.connected) await bus.streams.consumers.delete(stream, consumer).catch(() => false);
  }
}

/** The place in the stream as it is now: the one before, or its beginning if it is another stream. */
async function placeIn(bus: Bus, stream: StreamName, before: StreamPlace | undefined): Promise<StreamPlace> {
  const { created, state } = await bus.streams.streams.info(stream);
  const isSame = before?.created === created && before.seq <= state.last_seq;
  return isSame ? before : { created, seq: 0 };
}

/** Makes a consumer for what comes after a message; how many messages there are for it. */
async function addConsumer(
  bus: Bus,
  name: string,
  { stream, filter, expiryMs, afterSeq }: ReadOptions & { readonly afterSeq: number },
): Promise<number> {
  const start =
    afterSeq > 0
      ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: afterSeq + 1 }
      : { deliver_policy: DeliverPolicy.All };
  const { num_pending } = await bus.streams.consumers.add(stream, {
    ...consumerConfig(name, filter, expiryMs),
    ...start,
  });
  return num_pending;
}

function consumerConfig(name: string, filter: string, expiryMs: number) {
  return {
    name,
    ack_policy: AckPolicy.None,
    filter_subject: filter,
    inactive_threshold: expiryMs * NS_PER_MS,
    mem_storage: true,
    num_replicas: 1,
  };
}

function causeOf(error: unknown): string {
  if (error instanceof PullError) return error.reason;
  return apiErrorOf(error) === API_ERROR.noStream ? "no_stream" : "no_consumer";
}
