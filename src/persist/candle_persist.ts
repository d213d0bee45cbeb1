import type { Actor, ActorContext, Permissions } from "../actor/actor.ts";
import type { Bus } from "../bus/connection.ts";
import { registerService } from "../bus/service.ts";
import type { Streams } from "../bus/streams.ts";
import { parseCandleSubject } from "../bus/subject.ts";
import type { Lease } from "../lease/lease.ts";
import { shardOf } from "../market/shard.ts";
import type { Logger } from "../observe/log.ts";
import { Tally } from "../observe/tally.ts";
import type { InfluxLane, WritePermit } from "../store/influx_lane.ts";
import { candleLine } from "../store/line_protocol.ts";
import { decodeCandle } from "../wire/candle_codec.ts";
import { BadMessageError } from "../wire/tick_message.ts";
import { Fence } from "./fence.ts";
import { ReadPosition } from "./read_position.ts";
import { Rereader } from "./rereader.ts";

/** Most points of which the revision is remembered, oldest forgotten first. */
const MAX_REVISIONS = 200_000;
/** Longest that the lease is kept for lines that are still to be written, ms. */
const FLUSH_DEADLINE_MS = 4_000;
const FILTER = "candles.>";

export interface CandlePersistOptions {
  /** Candles of other shards are left to other processes. */
  readonly ownedShards: ReadonlySet<number>;
  readonly shards: number;
  readonly consumerExpiryMs: number;
  readonly bus: Bus;
  readonly streams: Streams;
  readonly lane: InfluxLane;
  readonly permissions: Permissions;
  readonly log: Logger;
}

/** The right to store candles; see `Lease`. */
type CandleLease = Pick<Lease, "isHeld" | "isOver">;

/** What one life of the actor has seen: by point the newest revision, and by shard the newest owner. */
interface Known {
  readonly revisions: Map<string, number>;
  fence: Fence;
}

/** Stores closed candles and their revisions. The stream is the buffer: while InfluxDB is down it stops reading. */
export class CandlePersistActor implements Actor {
  readonly name = "persist-candles";
  readonly permissions: Permissions;
  readonly badMessages = new Tally();
  readonly readerRestarts = new Tally();
  readonly #options: CandlePersistOptions;
  #lease: CandleLease | undefined;
  readonly #position: ReadPosition;
  readonly #rereader = new Rereader();
  #isRunning = false;
  #read = 0;
  #elsewhere = 0;
  #received = 0;
  #fenced = 0;
  #stale = 0;

  constructor(options: CandlePersistOptions) {
    this.#options = options;
    this.#position = new ReadPosition(options.bus, "CANDLES", FILTER);
    this.permissions = options.permissions;
  }

  status() {
    const { lane } = this.#options;
    return {
      actor: this.name,
      read: this.#read,
      elsewhere: this.#elsewhere,
      received: this.#received,
      staleRevisions: this.#stale,
      fenced: this.#fenced,
      rereads: this.#rereader.rereads,
      badMessages: Object.fromEntries(this.badMessages.entries()),
      lines: Object.fromEntries(lane.lines.entries()),
      retries: Object.fromEntries(lane.retries.entries()),
      pending: lane.pending,
    };
  }

  /**
   * Waits until all candles that are in the stream now were handed to the lane; false if the signal is aborted
   * first, or NATS is away.
   */
  caughtUp(signal: AbortSignal): Promise<boolean> {
    return this.#position.caughtUp(signal);
  }

  /** Stores again what the stream holds, for InfluxDB has lost what it had. */
  storeAgain(): void {
    this.#rereader.restart();
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Whether candles may be written now. A past owner that wakes up must not undo what the next one wrote. */
  get permit(): WritePermit {
    if (this.#lease === undefined || this.#lease.isHeld()) return "write";
    return this.#lease.isOver() ? "leave" : "wait";
  }

  /** The same actor, for as long as a lease lasts. */
  under(lease: CandleLease): Actor {
    const { name, permissions } = this;
    return {
      name,
      permissions,
      run: (context) => {
        this.#lease = lease;
        return this.run(context);
      },
    };
  }

  async run({ signal, ready }: ActorContext): Promise<void> {
    const { bus, streams, lane, consumerExpiryMs } = this.#options;
    await streams.ensure("CANDLES");
    const unregister = await registerService(bus, {
      name: "tickline-persist",
      description: "Stores candles",
      metadata: { kind: "candles" },
      status: () => this.status(),
    });
    const known: Known = { revisions: new Map(), fence: new Fence() };
    this.#isRunning = true;
    ready();
    try {
      const messages = this.#rereader.read(bus, streams, {
        stream: "CANDLES",
        filter: FILTER,
        name: this.name,
        expiryMs: consumerExpiryMs,
        restarts: this.readerRestarts,
        // Owners come in their order again. Revisions that are known stay so: the old ones need not be written first.
        onRestart: () => {
          known.fence = new Fence();
        },
        signal,
      });
      for await (const message of messages) {
        this.#onMessage(message.subject, message.data, known);
        this.#position.note(message);
        await lane.room(signal);
      }
      // The next owner begins with the oldest candle; what is stored by then is not overwritten by what comes late.
      if (this.#lease?.isHeld()) await lane.flush(AbortSignal.timeout(FLUSH_DEADLINE_MS));
    } finally {
      this.#isRunning = false;
      await unregister();
    }
  }

  #onMessage(subject: string, data: Uint8Array, { revisions, fence }: Known): void {
    const { lane, ownedShards, shards, log } = this.#options;
    this.#read++;
    try {
      const key = parseCandleSubject(subject);
      const shard = shardOf(`${key.venue}:${key.market}`, shards);
      if (!ownedShards.has(shard)) {
        this.#elsewhere++;
        return;
      }
      const candle = decodeCandle(key, data);
      this.#received++;
      const point = `${subject} ${candle.openMs}`;
      if (fence.isPast(shard, candle.token)) {
        this.#fenced++;
        return;
      }
      if ((revisions.get(point) ?? -1) > candle.revision) {
        this.#stale++;
        return;
      }
      // Nothing is older than a first publication, and nearly every candle has no other.
      if (candle.revision > 0) {
        revisions.delete(point);
        revisions.set(point, candle.revision);
        if (revisions.size > MAX_REVISIONS) revisions.delete(revisions.keys().next().value!);
      }
      lane.append(candleLine(candle));
    } catch (error) {
      if (!(error instanceof BadMessageError || error instanceof SyntaxError)) throw error;
      const reason = error instanceof BadMessageError ? error.reason : "subject";
      if (this.badMessages.get(reason) === 0) log.warn({ err: error, subject }, "candle message rejected");
      this.badMessages.add(reason);
    }
  }
}
