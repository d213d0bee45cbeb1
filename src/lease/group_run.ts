import { aborted } from "../actor/aborted.ts";
import type { Bus } from "../bus/connection.ts";
import type { KeyValues } from "../bus/key_values.ts";
import type { Logger } from "../observe/log.ts";
import type { Tally } from "../observe/tally.ts";
import { Claims } from "./claims.ts";
import { divide } from "./division.ts";
import type { Holding } from "./holding.ts";
import type { Lease } from "./lease.ts";
import { LeaseBoard } from "./lease_board.ts";
import { NOBODY } from "./lease_record.ts";
import { Membership } from "./membership.ts";
import { ObservationClock } from "./observation_clock.ts";
import { Presence } from "./presence.ts";

const LOOK_MS = 100;

export interface GroupRunOptions {
  readonly worker: string;
  readonly pieces: readonly string[];
  readonly log: Logger;
  readonly events: Tally;
  readonly newBroker: boolean;
  readonly bucket: KeyValues;
  readonly work: (lease: Lease) => Promise<void>;
}

/** Who does what, as one worker sees it. */
export interface GroupStatus {
  readonly worker: string;
  /** All who live, with how many pieces each of them has; this worker included. */
  readonly workers: Readonly<Record<string, number>>;
  /** What this worker holds. */
  readonly held: readonly { readonly piece: string; readonly token: number }[];
  /** Pieces that this worker could do and nobody who lives does. */
  readonly idle: readonly string[];
}

/** A worker's time in the group. It looks around ten times a second, and at once when something has changed. */
export class GroupRun {
  readonly #bus: Bus;
  readonly #options: GroupRunOptions;
  readonly #board: LeaseBoard;
  readonly #membership: Membership;
  readonly #presence: Presence;
  readonly #stopListening: () => void;
  readonly #claims: Claims;
  /** By piece, until its work has ended and it is given back. */
  readonly #holdings = new Map<string, Holding>();
  readonly #works = new Map<string, Promise<void>>();
  readonly #failed = new AbortController();
  /** Absent when something has changed. */
  #division: ReadonlyMap<string, string> | undefined;
  #looksSoon = false;
  #stopping = false;

  constructor(bus: Bus, options: GroupRunOptions) {
    this.#bus = bus;
    this.#options = options;
    const { worker, pieces, newBroker, bucket, events, log } = options;
    const clock = new ObservationClock();
    this.#presence = new Presence(bus, { worker, clock, onUnseen: () => this.#suspend() });
    this.#stopListening = bus.listen({ onLost: () => this.#suspend() });
    const isSeen = () => this.#presence.isSeen;
    const isGone = (other: string) => this.#presence.isGone(other);
    this.#board = new LeaseBoard({
      worker,
      clock,
      newBroker,
      isGone,
      // Not before: what others hand over to this worker, it must be able to take.
      onStart: () => this.#membership.join(),
      onSeen: (piece, record, revision, changed) => {
        this.#holdings.get(piece)?.onSeen(record, revision);
        if (changed) this.#onChange();
      },
    });
    this.#membership = new Membership(bus, {
      worker,
      offers: pieces,
      clock,
      isGone,
      onChange: () => this.#onChange(),
    });
    this.#claims = new Claims({
      worker,
      bucket,
      board: this.#board,
      clock,
      isSeen,
      events,
      onAcquired: (holding, from) => {
        const level = from === "the dead" ? "info" : "debug";
        log[level]({ piece: holding.piece, token: holding.token, from }, "lease acquired");
        this.#holdings.set(holding.piece, holding);
        this.#works.set(holding.piece, this.#workOn(holding));
        this.#onChange();
      },
    });
  }

  /** Takes and holds this worker's share until the signal is aborted or work fails. */
  async until(signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    const following = this.#options.bucket.follow(this.#board, ended.signal);
    const timer = setInterval(() => this.#look(), LOOK_MS);
    await aborted(AbortSignal.any([signal, this.#failed.signal]));
    this.#stopping = true;
    // First of all, so that the others take each piece as soon as it is given back.
    this.#membership.leave();
    await this.#claims.settled();
    for (const holding of this.#holdings.values()) holding.finish("stopped");
    await Promise.all(this.#works.values());
    clearInterval(timer);
    ended.abort();
    await following;
    this.#stopListening();
    this.#presence.close();
    if (this.#failed.signal.aborted) throw this.#failed.signal.reason;
  }

  status(): GroupStatus {
    const owners = this.#owners();
    const workers = Object.fromEntries([...this.#membership.offers().keys()].map((worker) => [worker, 0]));
    for (const owner of owners.values()) if (owner in workers) workers[owner]!++;
    const held = [...this.#holdings.values()].filter((holding) => holding.isHeld());
    return {
      worker: this.#options.worker,
      workers,
      held: held.map(({ piece, token }) => ({ piece, token })),
      idle: this.#options.pieces.filter((piece) => !((owners.get(piece) ?? NOBODY) in workers)),
    };
  }

  #onChange(): void {
    this.#division = undefined;
    if (this.#looksSoon) return;
    this.#looksSoon = true;
    setImmediate(() => {
      this.#looksSoon = false;
      this.#look();
    });
  }

  /** Others may find this worker gone: it holds nothing until that is renewed. */
  #suspend(): void {
    for (const holding of this.#holdings.values()) holding.suspend();
  }

  #look(): void {
    for (const holding of this.#holdings.values()) holding.look();
    if (this.#stopping) return;
    this.#membership.look();
    this.#presence.look(this.#suspects());
    if (!this.#bus.connected || !this.#membership.settled) return;
    this.#division ??= divide(this.#membership.offers(), this.#owners());
    for (const piece of this.#options.pieces) {
      const isMine = this.#division.get(piece) === this.#options.worker;
      const holding = this.#holdings.get(piece);
      if (holding !== undefined) {
        if (!isMine) holding.finish("handed_over");
      } else if (isMine) this.#claims.take(piece);
      else this.#claims.giveBack(piece);
    }
  }

  /** Those with whom it shares pieces and who were silent of late, as the dead are. */
  #suspects(): ReadonlySet<string> {
    const { worker, pieces } = this.#options;
    const suspects = new Set(this.#membership.silent());
    const members = this.#membership.offers();
    const owners = this.#board.owners();
    for (const piece of pieces) {
      const owner = owners.get(piece);
      if (owner !== undefined && owner !== worker && !members.has(owner)) suspects.add(owner);
    }
    return suspects;
  }

  /** What the bucket says, and what this worker knows better about itself. */
  #owners(): Map<string, string> {
    const owners = this.#board.owners();
    for (const [piece, holding] of this.#holdings) {
      if (holding.isHeld()) owners.set(piece, this.#options.worker);
    }
    return owners;
  }

  async #workOn(holding: Holding): Promise<void> {
    const { work, log, events } = this.#options;
    const { piece, token } = holding;
    try {
      await work(holding);
    } catch (error) {
      if (holding.end === undefined || !isAbort(error)) this.#failed.abort(error);
    }
    if (holding.end === undefined) this.#claims.pause(piece);
    const end = holding.isOver() ? "lost" : (holding.end ?? "returned");
    if (end === "lost" || end === "handed_over") events.add(end);
    const revision = await holding.release();
    this.#holdings.delete(piece);
    this.#works.delete(piece);
    if (revision !== undefined) {
      events.add("released");
      this.#board.note(piece, { owner: NOBODY, token, seen: false }, revision);
    }
    log[end === "lost" ? "warn" : "debug"]({ piece, token, end }, "lease ended");
    this.#onChange();
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}
