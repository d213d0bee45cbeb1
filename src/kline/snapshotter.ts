import { setTimeout as delay } from "node:timers/promises";
import type { CandlePublisher } from "../bus/candle_publisher.ts";
import type { Snapshots } from "../bus/snapshots.ts";
import { parseSnapshotSubject, snapshotFilter, snapshotSubject } from "../bus/subject.ts";
import type { Lease } from "../lease/lease.ts";
import type { Logger } from "../observe/log.ts";
import type { Tally } from "../observe/tally.ts";
import { BadMessageError } from "../wire/tick_message.ts";
import { Coverage, placeToReadAfter } from "./coverage.ts";
import { decodeSnapshot, encodeSnapshot, type MarketSnapshot, type TickPlace } from "./market_snapshot.ts";
import type { VenueCandles } from "./venue_candles.ts";

/** Larger snapshots do not fit a message: a long LATENESS keeps that many candles. */
const MAX_BYTES = 1_000_000;
/** How often it is looked for a market that is new. */
const LOOK_MS = 250;

export interface SnapshotterOptions {
  readonly shard: number;
  /** What the candles are made by; snapshots of other rules are left alone. */
  readonly rules: string;
  /** Each market is saved this often, ms. */
  readonly intervalMs: number;
  readonly snapshots: Snapshots;
  readonly candles: CandlePublisher;
  /** How far the tick stream is read; undefined before its first message. */
  readonly place: () => TickPlace | undefined;
  /** Nothing is saved while it is not held. */
  readonly lease: Pick<Lease, "isHeld">;
  /** Counts `stored`, `failed`, `superseded`, `too_large`, and those that could not be used: `bad`, `other_rules`. */
  readonly outcomes: Tally;
  readonly log: Logger;
}

/** Snapshots of a shard's markets. */
export interface LoadedSnapshots {
  /** By venue and market. */
  readonly venues: ReadonlyMap<string, ReadonlyMap<string, MarketSnapshot>>;
  /** When the oldest was taken, ms by the server's clock. */
  readonly sinceMs: number;
  /** Ticks up to there are in the snapshots, those of all markets; undefined if it is not known. */
  readonly after: TickPlace | undefined;
}

type VenueMarket = readonly [venue: string, market: string];

/** Another process owns the shard by now: this one must not go on. */
export class SupersededError extends Error {
  override readonly name = "SupersededError";
}

/** Keeps what another life of the actor needs to go on, market by market, all the time. */
export class Snapshotter {
  readonly #options: SnapshotterOptions;
  /** By subject. */
  readonly #revisions = new Map<string, number>();
  /** Snapshots of which it is not known whether they were stored, by subject. */
  readonly #unsure = new Map<string, Uint8Array>();
  readonly #coverage = new Coverage();

  constructor(options: SnapshotterOptions) {
    this.#options = options;
  }

  /** What a life before saved. */
  async load(): Promise<LoadedSnapshots> {
    const { snapshots, shard, rules, outcomes, log } = this.#options;
    const venues = new Map<string, Map<string, MarketSnapshot>>();
    let sinceMs = Number.POSITIVE_INFINITY;
    const stored = (await snapshots.load(snapshotFilter(shard))).sort((a, b) => a.revision - b.revision);
    const usable: MarketSnapshot[] = [];
    for (const { subject, data, storedMs, revision } of stored) {
      this.#revisions.set(subject, revision);
      try {
        const { venue, market } = parseSnapshotSubject(subject);
        const snapshot = decodeSnapshot(data);
        if (snapshot.rules !== rules) {
          outcomes.add("other_rules");
          continue;
        }
        const markets = venues.get(venue) ?? new Map<string, MarketSnapshot>();
        venues.set(venue, markets.set(market, snapshot));
        sinceMs = Math.min(sinceMs, storedMs - snapshot.ageMs);
        usable.push(snapshot);
        this.#coverage.add(subject);
      } catch (error) {
        if (!(error instanceof BadMessageError || error instanceof SyntaxError)) throw error;
        outcomes.add("bad");
        log.warn({ err: error, subject }, "snapshot cannot be used");
      }
    }
    const after = usable.length === stored.length ? placeToReadAfter(usable) : undefined;
    this.#coverage.reach(after);
    return { venues, sinceMs, after };
  }

  /**
   * Saves one market after the other until the signal is aborted.
   *
   * @throws {SupersededError} if somebody else saves them too
   */
  async run(venues: ReadonlyMap<string, VenueCandles>, signal: AbortSignal): Promise<void> {
    let looks = 0;
    let turns = 0;
    let lookMs = 0;
    let dueMs = 0;
    while (!signal.aborted) {
      const markets = marketsOf(venues);
      const next: (VenueMarket | undefined)[] = [];
      if (performance.now() >= lookMs) {
        lookMs = performance.now() + LOOK_MS;
        const subjects = markets.map(([venue, market]) => this.#subjectOf(venue, market));
        if (this.#coverage.hasAll(subjects)) this.#coverage.reach(this.#options.place());
        // Without a snapshot nothing is left of a market whose ticks are lost: it does not wait for its turn.
        const unsaved = markets.filter((_, index) => !this.#isSaved(subjects[index]!));
        next.push(unsaved[looks++ % unsaved.length]);
      }
      if (markets.length > 0 && performance.now() >= dueMs) {
        dueMs = performance.now() + this.#options.intervalMs / markets.length;
        next.push(markets[turns++ % markets.length]);
      }
      for (const each of next) {
        if (each === undefined || signal.aborted) continue;
        const [venue, market] = each;
        await this.#save(venue, venues.get(venue)!, { market, signal });
      }
      const wakeMs = markets.length === 0 ? lookMs : Math.min(lookMs, dueMs);
      const waitMs = Math.max(0, wakeMs - performance.now());
      await delay(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Saves all markets once, until the signal is aborted. */
  async saveAll(venues: ReadonlyMap<string, VenueCandles>, signal: AbortSignal): Promise<void> {
    for (const [venue, market] of marketsOf(venues)) {
      if (signal.aborted) return;
      await this.#save(venue, venues.get(venue)!, { market, signal });
    }
  }

  #isSaved(subject: string): boolean {
    return this.#revisions.has(subject) && !this.#unsure.has(subject);
  }

  #subjectOf(venue: string, market: string): string {
    return snapshotSubject(this.#options.shard, venue, market);
  }

  async #save(
    venue: string,
    venueCandles: VenueCandles,
    { market, signal }: { market: string; signal: AbortSignal },
  ): Promise<void> {
    const { candles, lease, shard, rules, snapshots, outcomes, place, log } = this.#options;
    const engine = venueCandles.engine.save(market);
    if (engine === undefined) return;
    const takenMs = performance.now();
    const positions = venueCandles.positionsOf(market);
    const { sentMs } = venueCandles;
    const read = place();
    const covered = this.#coverage.place;
    // A candle that is closed in the snapshot is not closed again: it must be safe before the snapshot is.
    await candles.flush(signal);
    if (signal.aborted || !lease.isHeld()) return;
    const subject = this.#subjectOf(venue, market);
    const known = this.#revisions.get(subject) ?? 0;
    const ageMs = performance.now() - takenMs;
    const snapshot = { rules, sentMs, ageMs, positions, engine, read, covered };
    let data = encodeSnapshot(snapshot);
    if (data.length > MAX_BYTES) {
      if (outcomes.get("too_large") === 0)
        log.warn({ venue, market, bytes: data.length }, "snapshot is too large");
      outcomes.add("too_large");
      // It has had its first try, and has its turns from now on.
      this.#revisions.set(subject, known);
      return;
    }
    let result = await snapshots.save(subject, data, known);
    if (result.kind === "absent") {
      // Others may be gone with it, and this one must not say that they are there.
      this.#coverage.clear();
      data = encodeSnapshot({ ...snapshot, covered: undefined });
      result = await snapshots.save(subject, data, 0);
    } else if (result.kind === "superseded" && isSame(result.by.data, this.#unsure.get(subject))) {
      // The one before was stored after all.
      result = await snapshots.save(subject, data, result.by.revision);
    }
    if (result.kind === "stored") {
      this.#revisions.set(subject, result.revision);
      this.#coverage.add(subject);
    }
    if (result.kind === "failed") this.#unsure.set(subject, data);
    else this.#unsure.delete(subject);
    outcomes.add(result.kind);
    if (result.kind === "superseded") {
      throw new SupersededError(
        `Cannot save "${subject}": another process saves it too and owns shard ${shard}`,
      );
    }
  }
}

function marketsOf(venues: ReadonlyMap<string, VenueCandles>): VenueMarket[] {
  return [...venues].flatMap(([venue, { engine }]) =>
    [...engine.markets].map((market) => [venue, market] as const),
  );
}

function isSame(one: Uint8Array, other: Uint8Array | undefined): boolean {
  return other !== undefined && Buffer.compare(one, other) === 0;
}
