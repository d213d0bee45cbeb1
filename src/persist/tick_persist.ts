import type { Actor, ActorContext, Permissions } from "../actor/actor.ts";
import type { Bus } from "../bus/connection.ts";
import { SequenceLedger } from "../bus/sequence_ledger.ts";
import { registerService } from "../bus/service.ts";
import type { Streams } from "../bus/streams.ts";
import { tickFilter, venueOf } from "../bus/subject.ts";
import type { Logger } from "../observe/log.ts";
import { Tally } from "../observe/tally.ts";
import type { InfluxLane } from "../store/influx_lane.ts";
import { tickLine } from "../store/line_protocol.ts";
import { TickDecoder } from "../wire/tick_decoder.ts";
import { BadMessageError } from "../wire/tick_message.ts";
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
  readonly losses: SequenceLedger;
  /** Which messages were taken since the stream was last to be read again. */
  taken: SequenceLedger;
}

/** Stores the tick history of one shard. While InfluxDB is down it stops reading; the stream sheds by age. */
export class TickPersistActor implements Actor {
  readonly name: string;
  readonly permissions: Permissions;
  /** Ticks taken (`received`) and those older than `TICK_MAX_LAG` (`skipped`). */
  readonly ticks = new Tally();
  readonly badMessages = new Tally();
  readonly readerRestarts = new Tally();
  readonly #options: TickPersistOptions;
  readonly #position: ReadPosition;
  readonly #rereader = new Rereader();
  #lostBatches = 0;

  constructor(options: TickPersistOptions) {
    this.name = `persist-ticks-${options.shard}`;
    this.permissions = options.permissions;
    this.#options = options;
    this.#position = new ReadPosition(options.bus, "TICKS", tickFilter(options.shard));
  }

  status() {
    const { lane } = this.#options;
    return {
      actor: this.name,
      ticks: Object.fromEntries(this.ticks.entries()),
      lostBatches: this.#lostBatches,
      rereads: this.#rereader.rereads,
      badMessages: Object.fromEntries(this.badMessages.entries()),
      lines: Object.fromEntries(lane.lines.entries()),
      retries: Object.fromEntries(lane.retries.entries()),
      pending: lane.pending,
    };
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
    const losses = new SequenceLedger();
    const reading: Reading = { decoder: new TickDecoder(), losses, taken: losses };
    ready();
    try {
      const messages = this.#rereader.read(bus, streams, {
        stream: "TICKS",
        filter: tickFilter(shard),
        name: this.name,
        expiryMs: consumerExpiryMs,
        restarts: this.readerRestarts,
        onRestart: () => {
          reading.taken = new SequenceLedger();
        },
        signal,
      });
      for await (const message of messages) {
        this.#onMessage(venueOf(message.subject), message.data, reading);
        this.#position.note(message);
        await lane.room(signal);
      }
    } finally {
      await unregister();
    }
  }

  #onMessage(venue: string, data: Uint8Array, { decoder, losses, taken }: Reading): void {
    const { lane, tickMaxLagMs, log } = this.#options;
    try {
      const message = decoder.decode(data);
      const { sentMs, ticks } = message;
      const news = losses.observe(message);
      if ("missed" in news) this.#lostBatches += news.missed;
      const again = taken === losses ? news : taken.observe(message);
      if (again.kind === "duplicate") return;
      if (tickMaxLagMs > 0 && Date.now() - sentMs > tickMaxLagMs) {
        this.ticks.add("skipped", ticks.length);
        return;
      }
      this.ticks.add("received", ticks.length);
      for (let i = 0; i < ticks.length; i++) lane.append(tickLine(venue, ticks, i));
    } catch (error) {
      if (!(error instanceof BadMessageError || error instanceof SyntaxError)) throw error;
      const reason = error instanceof BadMessageError ? error.reason : "subject";
      if (this.badMessages.get(reason) === 0) log.warn({ err: error, venue }, "tick message rejected");
      this.badMessages.add(reason);
    }
  }
}
