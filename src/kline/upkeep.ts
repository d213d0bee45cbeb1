import { Snapshots } from "../bus/snapshots.ts";
import type { Tally } from "../observe/tally.ts";
import type { KlineOptions, ShardLease } from "./kline.ts";
import type { KlineLife } from "./kline_life.ts";
import { Recaller } from "./recaller.ts";
import { type LoadedSnapshots, Snapshotter } from "./snapshotter.ts";

/** Longest that a stop waits for the last snapshots, ms. */
const SAVE_DEADLINE_MS = 2_000;

export interface UpkeepOptions {
  /** Name of the actor. */
  readonly actor: string;
  readonly life: KlineLife;
  readonly lease: ShardLease;
  /** See `Snapshotter` and `Recaller`. */
  readonly snapshots: Tally;
  readonly recalls: Tally;
}

/** What a life of a kline actor does beside reading ticks: it saves its candles, and recalls those that lack a trade. */
export class Upkeep {
  readonly #life: KlineLife;
  readonly #lease: ShardLease;
  readonly #snapshotter: Snapshotter;
  readonly #recaller: Recaller;
  #running: Promise<unknown> | undefined;
  #failure: unknown;

  constructor(options: KlineOptions, { actor, life, lease, snapshots, recalls }: UpkeepOptions) {
    const { bus, streams, rules, shard, snapshotIntervalMs, candles, log } = options;
    const intervals = rules.levels.map(({ interval }) => interval).join();
    this.#life = life;
    this.#lease = lease;
    this.#snapshotter = new Snapshotter({
      shard,
      rules: `${intervals} ${rules.calendar.timeZone} ${rules.fill}`,
      intervalMs: snapshotIntervalMs,
      snapshots: new Snapshots(bus, streams),
      candles,
      place: life.place,
      lease,
      outcomes: snapshots,
      log,
    });
    const { publish } = life;
    this.#recaller = new Recaller({ actor, bus, candles, lease, outcomes: recalls, publish, log });
  }

  /** What a life before saved. */
  load(): Promise<LoadedSnapshots> {
    return this.#snapshotter.load();
  }

  /** Goes on until `stop` is aborted, which it does itself when it fails. Called again, it does nothing. */
  start(stop: AbortController): void {
    const { venues } = this.#life;
    this.#running ??= Promise.all([
      this.#snapshotter.run(venues, stop.signal),
      this.#recaller.run(venues, stop.signal),
    ]).catch((error: unknown) => {
      this.#failure = error;
      stop.abort();
    });
  }

  /** Resolves once it has ended, if it was started. */
  async ended(): Promise<void> {
    await this.#running;
  }

  /**
   * Saves all candles for the last time, after it has ended.
   *
   * @throws what it failed with
   */
  async finish(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#running === undefined || !this.#lease.isHeld()) return;
    const deadline = AbortSignal.timeout(SAVE_DEADLINE_MS);
    await this.#recaller.recallAll(this.#life.venues, deadline);
    await this.#snapshotter.saveAll(this.#life.venues, deadline);
  }
}
