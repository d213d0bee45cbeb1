import { setTimeout as delay } from "node:timers/promises";
import type { BinanceServer } from "./binance_server.ts";
import { Random } from "./random.ts";
import type { RecordedEvent } from "./recording.ts";

/** Events that are sent before clients get a turn to read. */
const CHUNK_EVENTS = 512;
const MIN_WAIT_MS = 2;
const MAX_BUFFERED_BYTES = 1024 * 1024;
const TRADE_STREAM = "@trade";

/** What goes wrong on the way, as a seed determines. */
export interface ReplayFaults {
  readonly seed: number;
  /** Share of the events that are sent twice, 0 to 1. */
  readonly duplicates?: number;
  /** Events change places with others up to this many places away. */
  readonly disorder?: number;
  /** All connections are cut after every so many events. Nothing is lost: the replay waits for the clients. */
  readonly disconnectEvery?: number;
}

export interface ReplayOptions {
  /** 1: as recorded; 20: twenty times as fast; 0: as fast as the clients take it. */
  readonly speed: number;
  readonly faults?: ReplayFaults;
  /** Streams that clients must listen to before the first event is sent. @default any */
  readonly awaited?: readonly string[];
  readonly signal: AbortSignal;
}

/** What a replay did. */
export interface ReplayReport {
  /** Events sent, second copies not counted. */
  readonly events: number;
  /** Trades among them. */
  readonly trades: number;
  /** Trades that were sent twice. */
  readonly duplicates: number;
  readonly disconnects: number;
}

/**
 * Sends recorded events through a stand-in exchange, in the order of their receipt. It waits for clients to subscribe,
 * to read, and to come back where they were cut off, so that every event reaches whoever subscribed.
 */
export async function replay(
  server: BinanceServer,
  events: AsyncIterable<RecordedEvent>,
  { speed, faults, awaited = [], signal }: ReplayOptions,
): Promise<ReplayReport> {
  const listened = new Set(awaited);
  await until(() => isAwaited(server, awaited), signal);
  const random = new Random(faults?.seed ?? 0);
  const report = { events: 0, trades: 0, duplicates: 0, disconnects: 0 };
  const pace = createPace(speed, signal);
  for await (const { receivedMs, stream, event } of shuffle(events, faults?.disorder ?? 0, random)) {
    if (signal.aborted) break;
    const isTrade = stream.endsWith(TRADE_STREAM);
    await pace(receivedMs);
    if (report.events % CHUNK_EVENTS === 0) await breathe(server, signal);
    if (server.listenersOf(stream) > 0) listened.add(stream);
    else if (listened.has(stream)) await until(() => server.listenersOf(stream) > 0, signal);
    const copies = random.uniform() < (faults?.duplicates ?? 0) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) server.publish(stream, event);
    report.events++;
    if (isTrade) {
      report.trades++;
      report.duplicates += copies - 1;
    }
    if (faults?.disconnectEvery !== undefined && report.events % faults.disconnectEvery === 0) {
      await server.drained(signal);
      server.closeAll();
      report.disconnects++;
    }
  }
  await server.drained(signal);
  return report;
}

/** Waits until an event's time has come at the given speed. */
function createPace(speed: number, signal: AbortSignal): (receivedMs: number) => Promise<void> {
  if (speed === 0) return () => Promise.resolve();
  const startMs = performance.now();
  let firstMs: number | undefined;
  return async (receivedMs) => {
    firstMs ??= receivedMs;
    const waitMs = startMs + (receivedMs - firstMs) / speed - performance.now();
    if (waitMs >= MIN_WAIT_MS) await delay(waitMs, undefined, { signal }).catch(() => undefined);
  };
}

async function breathe(server: BinanceServer, signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  if (server.bufferedBytes > MAX_BUFFERED_BYTES) await server.drained(signal);
}

function isAwaited(server: BinanceServer, streams: readonly string[]): boolean {
  if (streams.length === 0) return server.subscriptions.length > 0;
  return streams.every((stream) => server.listenersOf(stream) > 0);
}

async function until(condition: () => boolean, signal: AbortSignal): Promise<void> {
  while (!condition() && !signal.aborted) {
    await delay(MIN_WAIT_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Gives events in an order in which none is more than `window` places away from its own. */
async function* shuffle(
  events: AsyncIterable<RecordedEvent>,
  window: number,
  random: Random,
): AsyncGenerator<RecordedEvent> {
  if (window === 0) {
    yield* events;
    return;
  }
  let held: RecordedEvent[] = [];
  for await (const event of events) {
    held.push(event);
    if (held.length < window) continue;
    yield* drawAll(held, random);
    held = [];
  }
  yield* drawAll(held, random);
}

function* drawAll(events: RecordedEvent[], random: Random): Generator<RecordedEvent> {
  while (events.length > 0) {
    const [event] = events.splice(random.integer(0, events.length - 1), 1);
    yield event!;
  }
}
