import { type Loss, type Positions, type ReadLife, SequenceLedger } from "../bus/sequence_ledger.ts";
import type { Tally } from "../observe/tally.ts";
import type { TickMessage } from "../wire/tick_message.ts";
import { CandleEngine } from "./candle_engine.ts";
import type { CandleRules } from "./market_candles.ts";
import type { MarketSnapshot } from "./market_snapshot.ts";
import { Resumption } from "./resumption.ts";
import { WaitingTime } from "./waiting_time.ts";

/** What became of a message: its ticks are in candles, it came before, or it was too old. */
export type MessageFate = "applied" | "duplicate" | "skipped";

/** What a message was found to be, and what is lost before it. */
export interface MessageReport extends Loss {
  readonly fate: MessageFate;
}

const NO_LOSS: Loss = { missed: 0, missedTicks: 0 };

/** The candles of one venue and shard, made of its messages: each message once, and a loss casts doubt. */
export class VenueCandles {
  readonly engine: CandleEngine;
  readonly #ledger = new SequenceLedger();
  readonly #outcomes: Tally;
  #resumption: Resumption | undefined;
  readonly #waitingTime = new WaitingTime();
  #sentMs = Number.NEGATIVE_INFINITY;
  #waitedMs = 0;

  /** @param outcomes counts every tick by what became of it, see `CandleEngine`, and `skipped` for those of stale messages */
  constructor(venue: string, rules: CandleRules, outcomes: Tally) {
    this.engine = new CandleEngine(venue, rules, outcomes);
    this.#outcomes = outcomes;
  }

  /** Until where the messages are in a market's candles. */
  positionsOf(market: string): Positions {
    const read = this.#ledger.positions;
    if (this.#resumption !== undefined) return this.#resumption.positionsOf(market, read);
    return new Map([...read].map(([epoch, { seq, ticks }]) => [epoch, { seq, ticks }]));
  }

  /** The publishers' lives in ticks, as far as they were read. */
  lives(): Iterable<ReadLife> {
    return this.#ledger.lives();
  }

  /** When the latest message was sent, ms by its publisher's clock. */
  get sentMs(): number {
    return this.#sentMs;
  }

  /**
   * The local time that the messages taken so far speak of, when it is `monotonicMs`: a reader that is behind lives in
   * the past, and closes no candle whose trades are still in the stream.
   */
  presentMs(monotonicMs: number): number {
    return monotonicMs - this.#waitedMs;
  }

  /** Goes on from snapshots of markets; nothing was taken before. */
  resume(snapshots: ReadonlyMap<string, MarketSnapshot>, monotonicMs: number): void {
    for (const [market, { engine }] of snapshots) this.engine.load(market, engine, monotonicMs);
    const positions = new Map([...snapshots].map(([market, snapshot]) => [market, snapshot.positions]));
    this.#resumption = new Resumption(positions);
    const sinceMs = Math.min(...[...snapshots.values()].map(({ sentMs }) => sentMs));
    this.#ledger.beginAt(sinceMs, this.#resumption.common);
  }

  /** Takes a message. */
  take(message: TickMessage, monotonicMs: number): MessageReport {
    const { epoch, seq, sentMs, ticks } = message;
    const news = this.#ledger.observe(message);
    if (news.kind === "duplicate") return { fate: "duplicate", ...NO_LOSS };
    const { missed, missedTicks } = news.kind === "next" ? NO_LOSS : news;
    if (news.kind !== "next") this.engine.doubt(this.#resumption?.knows(epoch, seq - 1));
    const isKnown = this.#resumption?.knows(epoch, seq);
    this.#sentMs = Math.max(this.#sentMs, sentMs);
    this.#waitedMs = this.#waitingTime.of(epoch, sentMs, monotonicMs);
    if (message.isStale) {
      this.#outcomes.add("skipped", ticks.length);
      this.engine.doubt(isKnown);
      return { fate: "skipped", missed, missedTicks };
    }
    const { venueMs, down } = message;
    this.engine.apply(ticks, { venueMs, down, isKnown }, this.presentMs(monotonicMs));
    return { fate: "applied", missed, missedTicks };
  }
}
