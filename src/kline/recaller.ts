import { setTimeout as delay } from "node:timers/promises";
import type { CandlePublisher } from "../bus/candle_publisher.ts";
import type { Bus } from "../bus/connection.ts";
import { candleFilter } from "../bus/subject.ts";
import type { Lease } from "../lease/lease.ts";
import type { Candle } from "../market/candle.ts";
import type { Logger } from "../observe/log.ts";
import type { Tally } from "../observe/tally.ts";
import type { PublishedCandle } from "../wire/candle_codec.ts";
import { readCandles } from "./read_candles.ts";
import { keyOf, type Recall } from "./recalls.ts";
import type { VenueCandles } from "./venue_candles.ts";

/** Shortest time between two looks, ms: what one trade after the other recalls is found in one pass. */
const LOOK_MS = 2_000;
/** How much of its time a pass may take, for what it reads is much where many markets are concerned. */
const SHARE = 0.2;
/** Candles that were published longer ago are not found, ms: ingest lets no trade in that is older than an hour. */
const REACH_MS = 2 * 3_600_000;

export interface RecallerOptions {
  /** Name of the actor. */
  readonly actor: string;
  readonly bus: Bus;
  readonly candles: CandlePublisher;
  /** Nothing is published while it is not held. */
  readonly lease: Pick<Lease, "isHeld">;
  /** Counts candles that are `incomplete` now, that were `known` to be, and those that were `not_found`. */
  readonly outcomes: Tally;
  readonly publish: (candle: Candle) => void;
  readonly log: Logger;
}

/** Finds recalled candles in the stream and publishes them again, as incomplete. */
export class Recaller {
  readonly #options: RecallerOptions;

  constructor(options: RecallerOptions) {
    this.#options = options;
  }

  /** Looks for recalled candles until the signal is aborted. */
  async run(venues: ReadonlyMap<string, VenueCandles>, signal: AbortSignal): Promise<void> {
    let pauseMs = LOOK_MS;
    while (!signal.aborted) {
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
      const startMs = performance.now();
      await this.recallAll(venues, signal);
      pauseMs = Math.max(LOOK_MS, (performance.now() - startMs) / SHARE);
    }
  }

  /** Works off what is recalled now; what fails stays recalled. */
  async recallAll(venues: ReadonlyMap<string, VenueCandles>, signal: AbortSignal): Promise<void> {
    const { actor, bus, log } = this.#options;
    for (const [venue, { engine }] of venues) {
      for (const [market, recalls] of [...engine.recalls()]) {
        if (signal.aborted || !bus.connected) return;
        try {
          const wanted = recalls.pending();
          const found = await this.#find(wanted, { venue, market, signal });
          if (await this.#publishAll(wanted, found, signal)) recalls.settle(wanted);
        } catch (error) {
          if (!signal.aborted) log.warn({ err: error, actor, venue, market }, "candles are not recalled yet");
          return;
        }
      }
    }
  }

  /** The latest messages of candles. */
  async #find(
    wanted: readonly Recall[],
    { venue, market, signal }: { venue: string; market: string; signal: AbortSignal },
  ): Promise<ReadonlyMap<string, PublishedCandle>> {
    const { actor, bus, candles } = this.#options;
    const keys = new Set(wanted.map(keyOf));
    const found = new Map<string, PublishedCandle>();
    await candles.flush(signal);
    const filter = candleFilter(venue, market);
    const sinceMs = Date.now() - REACH_MS;
    for await (const { candle } of readCandles(bus, { filter, name: `${actor}-recall`, sinceMs, signal })) {
      const key = keyOf(candle);
      const before = found.get(key);
      if (keys.has(key) && (before === undefined || before.token <= candle.token)) found.set(key, candle);
    }
    return found;
  }

  /** Whether all could be published. */
  async #publishAll(
    wanted: readonly Recall[],
    found: ReadonlyMap<string, PublishedCandle>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { candles, lease, outcomes, publish } = this.#options;
    for (const recall of wanted) {
      if (candles.capacity === 0) await candles.room(signal);
      if (signal.aborted || !lease.isHeld()) return false;
      const candle = found.get(keyOf(recall));
      if (candle?.complete) publish({ ...candle, complete: false, revision: candle.revision + 1 });
      outcomes.add(candle === undefined ? "not_found" : candle.complete ? "incomplete" : "known");
    }
    return true;
  }
}
