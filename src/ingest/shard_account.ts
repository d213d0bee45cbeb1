import { Tally } from "../observe/tally.ts";
import type { MessageListener } from "./tick_publisher.ts";

/** How far a publisher's life has come in the numbering of a shard. */
export interface PublisherPosition {
  readonly epoch: number;
  /** Ticks that it has numbered. */
  readonly ticks: number;
}

/**
 * What became of the ticks of one shard of a venue, in all lives of the actor: each that was accepted is collected, under
 * way, confirmed, unconfirmed or dropped. What becomes of the last messages of a life is known after its end, so no life owns it.
 */
export class ShardAccount {
  readonly shard: number;
  /** In the message that is being made. */
  collected = 0;
  /** Handed to NATS, whatever it said to it. */
  published = 0;
  /** Handed to NATS, which has not answered yet. */
  underWay = 0;
  /** In the stream for sure. */
  confirmed = 0;
  /** By cause: sent, and not confirmed; readers know whether it is in the stream. */
  readonly unconfirmed = new Tally();
  /** By cause: what NATS did not take, or refused. */
  readonly dropped = new Tally();
  /** Of the latest life; absent before the first. */
  position: PublisherPosition | undefined;

  constructor(shard: number) {
    this.shard = shard;
  }

  /** Takes the collected ticks for a message; the listener is to be told what becomes of it. */
  ship(): MessageListener {
    const ticks = this.collected;
    this.collected = 0;
    this.underWay += ticks;
    return new Shipment(this, ticks);
  }
}

class Shipment implements MessageListener {
  readonly #account: ShardAccount;
  readonly #ticks: number;

  constructor(account: ShardAccount, ticks: number) {
    this.#account = account;
    this.#ticks = ticks;
  }

  onStored(): void {
    this.#account.underWay -= this.#ticks;
    this.#account.confirmed += this.#ticks;
  }

  onDropped(cause: string): void {
    this.#account.underWay -= this.#ticks;
    this.#account.dropped.add(cause, this.#ticks);
  }

  onUnconfirmed(cause: string): void {
    this.#account.underWay -= this.#ticks;
    this.#account.unconfirmed.add(cause, this.#ticks);
  }
}
