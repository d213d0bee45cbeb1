import type { Actor, ActorContext, Permissions } from "../actor/actor.ts";
import type { Bus } from "../bus/connection.ts";
import type { Loss, ReadLife } from "../bus/sequence_ledger.ts";
import { registerService } from "../bus/service.ts";
import type { Streams } from "../bus/streams.ts";
import { tickFilter, venueOf } from "../bus/subject.ts";
import { VenueLedgers } from "../bus/venue_ledgers.ts";
import type { TickBatch } from "../market/tick.ts";
import type { Logger } from "../observe/log.ts";
import { Tally } from "../observe/tally.ts";
import type { InfluxLane } from "../store/influx_lane.ts";
import { tickLine } from "../store/line_protocol.ts";
import { TickDecoder } from "../wire/tick_decoder.ts";
import { BadMessageError, type TickMessage } from "../wire/tick_message.ts";
import { ReadPosition } from "./read_position.ts";
import { Rereader } from "./rereader.ts";

export interface TickPersistOptions {
  readonly shard: number;
  /** Batches older than this are skipped and counted, ms; 0: none. */
  readonly tickMaxLagMs: number;
  readonly consumerExpiryMs: number;
  readonly bus: Bus;
  readonly streams: Streams;
  readonly lane: InfluxLane;
  readonly permissions: Permissions;
  readonly log: Logger;
}

/** What one reading of the stream knows. */
interface Reading {
  readonly decoder: TickDecoder;
  /** Counts each lost message once, however often the stream is read again. */
  readonly losses: VenueLedgers;
  /** Which messages were taken since the stream was last to be read again. */
  taken: VenueLedgers;
}

/** Stores the tick history of one shard. While InfluxDB is down it stops reading; the stream sheds by age. */
export class TickPersistActor implements Actor {
  readonly name: string;
  readonly permissions: Permissions;
  readonly shard: number;
  /**
   * Ticks by what became of them: `received` by the lane, `skipped` as older than `TICK_MAX_LAG`, `repeated` in a message
   * that had come before, or `bad_name`: no series can have that name.
   */
  readonly ticks = new Tally();
  readonly badMessages = new Tally();
  readonly readerRestarts = new Tally();
  readonly #options: TickPersistOptions;
  readonly #position: ReadPosition;
  readonly #rereader = new Rereader();
  /** Of the life that is running. */
  #reading: Reading | undefined;
  #read = 0;
  #lostTicks = 0;
  #lostBatches = 0;
  #unknownBatches = 0;

  constructor(options: TickPersistOptions) {
    this.name = `persist-ticks-${options.shard}`;
    this.shard = options.shard;
    this.permissions = options.permissions;
    this.#options = options;
    this.#position = new ReadPosition(options.bus, "TICKS", tickFilter(options.shard));
  }

  status() {
    const { lane } = this.#options;
    return {
      actor: this.name,
      read: this.#read,
      ticks: Object.fromEntries(this.ticks.entries()),
      lostTicks: this.#lostTicks,
      lostBatches: this.#lostBatches,
      rereads: this.#rereader.rereads,
      unknownBatches: this.#unknownBatches,
      badMessages: Object.fromEntries(this.badMessages.entries()),
      lines: Object.fromEntries(lane.lines.entries()),
      retries: Object.fromEntries(lane.retries.entries()),
      pending: lane.pending,
    };
  }

  get isRunning(): boolean {
    return this.#reading !== undefined;
  }

  /** By venue the publishers' lives in ticks, as far as they were read; none while the actor does not run. */
  lives(): Iterable<readonly [venue: string, Iterable<ReadLife>]> {
    return this.#reading?.losses.lives() ?? [];
  }

  /**
   * Waits until all ticks of the shard that are in the stream now were handed to the lane; false if the signal is aborted
   * first, or NATS is away.
   */
  caughtUp(signal: AbortSignal): Promise<boolean> {
    return this.#position.caughtUp(signal);
  }

  /** Stores again what the stream holds, for InfluxDB has lost what it had. */
  storeAgain(): void {
    this.#rereader.restart();
  }

  async run({ signal, ready }: ActorContext): Promise<void> {
    const { bus, streams, lane, shard, consumerExpiryMs } = this.#options;
    await streams.ensure("TICKS");
    const unregister = await registerService(bus, {
      name: "tickline-persist",
      description: "Stores tick history",
      metadata: { kind: "ticks", shard: String(shard) },
      status: () => this.status(),
    });
    const losses = new VenueLedgers();
    const reading: Reading = {
      decoder: new TickDecoder({ maxAgeMs: this.#options.tickMaxLagMs }),
      losses,
      taken: losses,
    };
    this.#reading = reading;
    ready();
    try {
      const messages = this.#rereader.read(bus, streams, {
        stream: "TICKS",
        filter: tickFilter(shard),
        name: this.name,
        expiryMs: consumerExpiryMs,
        restarts: this.readerRestarts,
        onRestart: () => {
          reading.taken = new VenueLedgers();
        },
        signal,
      });
      for await (const message of messages) {
        this.#onMessage(venueOf(message.subject), message.data, reading);
        this.#position.note(message);
        await lane.room(signal);
      }
    } finally {
      if (this.#reading === reading) this.#reading = undefined;
      await unregister();
    }
  }

  #onMessage(venue: string, data: Uint8Array, { decoder, losses, taken }: Reading): void {
    let message: TickMessage;
    try {
      message = decoder.decode(data);
    } catch (error) {
      if (!(error instanceof BadMessageError)) throw error;
      this.#reject(venue, error.reason, error);
      return;
    }
    const { ticks, isStale } = message;
    this.#read += ticks.length;
    const news = losses.observe(venue, message);
    if ("missed" in news) this.#noteLoss(news);
    const again = taken === losses ? news : taken.observe(venue, message);
    if (again.kind === "duplicate") {
      this.#count("repeated", ticks.length);
      return;
    }
    if (isStale) this.#count("skipped", ticks.length);
    else this.#store(venue, ticks);
  }

  #store(venue: string, ticks: TickBatch): void {
    const { lane } = this.#options;
    let stored = 0;
    let cause: SyntaxError | undefined;
    for (let i = 0; i < ticks.length; i++) {
      try {
        lane.append(tickLine(venue, ticks, i));
        stored++;
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        cause = error;
      }
    }
    this.#count("received", stored);
    if (cause === undefined) return;
    this.#count("bad_name", ticks.length - stored);
    this.#reject(venue, "subject", cause);
  }

  #count(fate: string, ticks: number): void {
    if (ticks > 0) this.ticks.add(fate, ticks);
  }

  #noteLoss({ missed, missedTicks }: Loss): void {
    this.#lostBatches += missed;
    this.#lostTicks += missedTicks ?? 0;
    if (missedTicks === undefined) this.#unknownBatches += missed;
  }

  #reject(venue: string, reason: string, err: Error): void {
    if (this.badMessages.get(reason) === 0) this.#options.log.warn({ err, venue }, "tick message rejected");
    this.badMessages.add(reason);
  }
}
