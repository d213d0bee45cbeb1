import type { Trade } from "../exchange/exchange.ts";
import type { Market } from "../market/market.ts";
import { TickBuffer } from "../market/tick_buffer.ts";
import { TickEncoder } from "../wire/tick_encoder.ts";
import type { ShardAccount } from "./shard_account.ts";
import type { MessageListener, TickPublisher } from "./tick_publisher.ts";

/** Most ticks of a message. */
const BATCH_TICKS = 512;

/** What the publishers of a venue share. */
export interface PublishContext {
  readonly publisher: TickPublisher;
  /** Of the present term, see {@link ShardPublisher.begin}. */
  epoch: number;
  /** The latest trade time accepted on any market of the venue, ms; 0 before the first. */
  venueMs(): number;
  /** The local clock, ms since the epoch. */
  nowMs(): number;
}

/** Collects the ticks of one shard of a venue and publishes them in numbered messages. */
export class ShardPublisher {
  readonly #subject: string;
  readonly #context: PublishContext;
  readonly #account: ShardAccount;
  readonly #ticks = new TickBuffer(BATCH_TICKS);
  readonly #encoder = new TickEncoder();
  readonly #markets: ReadonlySet<string>;
  #down: readonly string[];
  #seq = 0;
  /** Ticks that were numbered. */
  #ticksBefore = 0;
  #sentMs = Number.NEGATIVE_INFINITY;

  /** @param markets the venue's markets of this shard; all of them are down at first */
  constructor(
    account: ShardAccount,
    { subject, markets, context }: { subject: string; markets: readonly Market[]; context: PublishContext },
  ) {
    this.#account = account;
    this.#subject = subject;
    this.#context = context;
    this.#markets = new Set(markets.map(({ name }) => name));
    this.#down = [...this.#markets].sort();
  }

  get isEmpty(): boolean {
    return this.#ticks.length === 0;
  }

  get isFull(): boolean {
    return this.#ticks.full;
  }

  /** When the last message was handed over, ms by the context's clock. */
  get sentMs(): number {
    return this.#sentMs;
  }

  /** Begins a term: numbers from 1 on, in the context's new epoch. Says nothing yet of what is not connected. */
  begin(isDown: (name: string) => boolean): void {
    this.#seq = 0;
    this.#ticksBefore = 0;
    this.#sentMs = Number.NEGATIVE_INFINITY;
    this.#down = [...this.#markets].filter(isDown).sort();
  }

  /** Adds a tick; there must be room. */
  add(name: string, trade: Trade): void {
    const ticks = this.#ticks;
    const i = ticks.length;
    ticks.market[i] = ticks.indexOf(name, trade.priceDecimals, trade.quantityDecimals);
    ticks.id[i] = trade.id;
    ticks.price[i] = trade.price;
    ticks.quantity[i] = trade.quantity;
    ticks.buy[i] = trade.buy ? 1 : 0;
    ticks.timeMs[i] = trade.timeMs;
    ticks.receivedMs[i] = trade.receivedMs;
    ticks.length++;
    this.#account.collected++;
  }

  /** Notes which of its markets are not connected, and says so at once. */
  setDown(isDown: (name: string) => boolean): void {
    this.#down = [...this.#markets].filter(isDown).sort();
    this.flush();
  }

  /** Publishes the ticks and what is down. The number advances even if that fails, so that readers see the loss. */
  flush(): void {
    const { length } = this.#ticks;
    this.#seq++;
    const isPublished = this.#publish(length > 0 ? this.#account.ship() : undefined);
    if (isPublished) this.#account.published += length;
    this.#ticks.clear();
    this.#ticksBefore += length;
    this.#account.position = { epoch: this.#context.epoch, ticks: this.#ticksBefore };
  }

  /** Says that there is nothing to say. If that fails nothing is lost, and the number is used again. */
  beat(): void {
    this.#seq++;
    if (!this.#publish()) this.#seq--;
  }

  #publish(listener?: MessageListener): boolean {
    const { epoch, nowMs, publisher, venueMs } = this.#context;
    const sentMs = nowMs();
    this.#sentMs = sentMs;
    const message = {
      epoch,
      seq: this.#seq,
      sentMs,
      venueMs: venueMs(),
      ticks: this.#ticks,
      down: this.#down,
      ticksBefore: this.#ticksBefore,
    };
    return publisher.tryPublish(this.#subject, this.#encoder.encode(message), listener);
  }
}
