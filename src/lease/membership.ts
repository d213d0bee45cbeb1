import { z } from "zod";
import { Broadcast } from "../bus/broadcast.ts";
import type { Bus } from "../bus/connection.ts";
import type { Offers } from "./division.ts";
import type { ObservationClock } from "./observation_clock.ts";

const SUBJECT = "tickline.workers";
const BEAT_MS = 500;
/** Who said nothing for so long is looked for. */
const QUIET_MS = 700;
/** Who said nothing for so long does not live. */
const SILENCE_MS = 3_500;
/** How long one who joins waits for the answers of the others. */
const SETTLE_MS = 300;
/** Further ones are not taken note of. */
const MAX_WORKERS = 1_024;

const beatSchema = z.object({
  worker: z.string().min(1),
  offers: z.array(z.string()),
  /** `joins` asks the others to say at once that they live. */
  state: z.enum(["joins", "lives", "leaves"]),
});

type WorkerState = z.infer<typeof beatSchema>["state"];

export interface MembershipOptions {
  readonly worker: string;
  /** Pieces that this worker can do. */
  readonly offers: readonly string[];
  readonly clock: ObservationClock;
  /** Whether a silent worker is known to be connected no more. */
  readonly isGone: (worker: string) => boolean;
  /** Called when a worker has come or gone. */
  readonly onChange: () => void;
}

interface Member {
  readonly offers: ReadonlySet<string>;
  heardMs: number;
}

/**
 * Who lives, as this worker hears it: each says so twice a second, to all who are there. That decides only how pieces
 * are divided. Who holds a piece is decided by its lease alone, so it does no harm to hear wrong.
 */
export class Membership {
  readonly #bus: Bus;
  readonly #options: MembershipOptions;
  readonly #broadcast: Broadcast;
  readonly #stopListening: () => void;
  readonly #others = new Map<string, Member>();
  /** Absent until it joins. */
  #joinedMs: number | undefined;
  #beatMs = 0;

  /** Listens. */
  constructor(bus: Bus, options: MembershipOptions) {
    this.#bus = bus;
    this.#options = options;
    this.#broadcast = new Broadcast(bus, SUBJECT, (message) => this.#onMessage(message));
    this.#stopListening = bus.listen({
      onRestored: () => {
        if (this.#joinedMs !== undefined) this.#rejoin();
      },
    });
  }

  /** Says that this worker is able to take pieces from now on. */
  join(): void {
    if (this.#joinedMs === undefined) this.#rejoin();
  }

  /** Whether all who live had the time to say so. */
  get settled(): boolean {
    return this.#joinedMs !== undefined && this.#options.clock.look() - this.#joinedMs >= SETTLE_MS;
  }

  /** All who live with what they offer, this worker included. */
  offers(): Offers {
    const { worker, offers } = this.#options;
    const all = new Map<string, ReadonlySet<string>>([[worker, new Set(offers)]]);
    for (const [other, member] of this.#others) all.set(other, member.offers);
    return all;
  }

  /** Those who share pieces with this worker and were not heard lately. */
  *silent(): Generator<string> {
    const quietMs = this.#options.clock.look() - QUIET_MS;
    for (const [other, { heardMs, offers }] of this.#others) {
      if (heardMs <= quietMs && this.#options.offers.some((piece) => offers.has(piece))) yield other;
    }
  }

  /** Says that this worker lives when it is time to, and forgets those who have not for too long. */
  look(): void {
    const nowMs = this.#options.clock.look();
    if (!this.#bus.connected || this.#joinedMs === undefined) return;
    if (nowMs - this.#beatMs >= BEAT_MS) this.#say("lives");
    for (const [other, { heardMs }] of this.#others) {
      if (nowMs - heardMs >= SILENCE_MS || this.#options.isGone(other)) this.#forget(other);
    }
  }

  /** Says that this worker takes nothing any more. */
  leave(): void {
    this.#say("leaves");
    this.#stopListening();
    this.#broadcast.close();
  }

  /** After a time in which nothing could be heard, all whom it knew get the time to come back. */
  #rejoin(): void {
    const nowMs = this.#options.clock.look();
    this.#joinedMs = nowMs;
    for (const member of this.#others.values()) member.heardMs = nowMs;
    this.#say("joins");
  }

  #say(state: WorkerState): void {
    const { worker, offers, clock } = this.#options;
    this.#beatMs = clock.look();
    this.#broadcast.send(Buffer.from(JSON.stringify({ worker, offers, state })));
  }

  #onMessage(message: Uint8Array): void {
    const beat = parseBeat(message);
    if (beat === undefined || beat.worker === this.#options.worker) return;
    if (beat.state === "leaves") {
      this.#forget(beat.worker);
      return;
    }
    const known = this.#others.get(beat.worker);
    if (known !== undefined) known.heardMs = this.#options.clock.look();
    else this.#welcome(beat.worker, beat.offers);
    // At the next look, once for all who join at this time.
    if (beat.state === "joins") this.#beatMs = Number.NEGATIVE_INFINITY;
  }

  #welcome(worker: string, offers: readonly string[]): void {
    if (this.#others.size >= MAX_WORKERS) return;
    this.#others.set(worker, { offers: new Set(offers), heardMs: this.#options.clock.look() });
    this.#options.onChange();
  }

  #forget(worker: string): void {
    if (this.#others.delete(worker)) this.#options.onChange();
  }
}

/** The message, or nothing if it is not one of ours. */
function parseBeat(message: Uint8Array): z.infer<typeof beatSchema> | undefined {
  try {
    return beatSchema.parse(JSON.parse(Buffer.from(message).toString()));
  } catch {
    return undefined;
  }
}
