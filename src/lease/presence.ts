import { CallSign, isNobodyOn } from "../bus/call_sign.ts";
import type { Bus } from "../bus/connection.ts";
import type { ObservationClock } from "./observation_clock.ts";

const SUBJECT = "tickline.workers";
const PROBE_TIMEOUT_MS = 300;
/** Whoever is only cut off is back by then. */
const GONE_AFTER_MS = 600;
/** After a new connection the others get this long to make one too: it may be the server that was away. */
const RECONNECT_GRACE_MS = 1_500;

export interface PresenceOptions {
  readonly worker: string;
  readonly clock: ObservationClock;
  /** Called when the others can no longer see that this worker is connected. */
  readonly onUnseen: () => void;
}

/**
 * Who is connected, as the server knows it. Each worker listens on a subject of its own; where nobody listens the
 * server says so at once. The kernel closes the connection of a killed process, so its death shows within a moment;
 * a frozen one still listens, and a host that vanished does so for a while.
 */
export class Presence {
  readonly #bus: Bus;
  readonly #options: PresenceOptions;
  readonly #stopListening: () => void;
  readonly #callSign: CallSign;
  /** When each suspect was first found absent, by the observation clock; those that were not are not in it. */
  readonly #absentSinceMs = new Map<string, number>();
  readonly #probes = new Set<string>();
  #blindUntilMs = 0;
  #seen = false;

  constructor(bus: Bus, options: PresenceOptions) {
    this.#bus = bus;
    this.#options = options;
    this.#callSign = new CallSign(bus, subjectOf(options.worker), (listens) => this.#setSeen(listens));
    this.#stopListening = bus.listen({
      onLost: () => this.#setSeen(false),
      onRestored: () => {
        this.#absentSinceMs.clear();
        this.#blindUntilMs = options.clock.look() + RECONNECT_GRACE_MS;
        this.#callSign.call();
      },
    });
    this.#callSign.call();
  }

  /** Whether the others see that this worker is connected, so that its absence means something. */
  get isSeen(): boolean {
    return this.#seen;
  }

  /** Whether a worker, if it ever was seen, is connected no more. */
  isGone(worker: string): boolean {
    const sinceMs = this.#absentSinceMs.get(worker);
    return sinceMs !== undefined && this.#options.clock.look() - sinceMs >= GONE_AFTER_MS;
  }

  /** Looks for those who were not heard of for a while; what was found out about others is forgotten. */
  look(suspects: ReadonlySet<string>): void {
    for (const worker of this.#absentSinceMs.keys()) {
      if (!suspects.has(worker)) this.#absentSinceMs.delete(worker);
    }
    if (!this.#bus.connected || this.#options.clock.look() < this.#blindUntilMs) return;
    for (const worker of suspects) if (!this.#probes.has(worker)) void this.#probe(worker);
  }

  close(): void {
    this.#stopListening();
    this.#callSign.close();
  }

  #setSeen(seen: boolean): void {
    const wasSeen = this.#seen;
    this.#seen = seen;
    if (wasSeen && !seen) this.#options.onUnseen();
  }

  async #probe(worker: string): Promise<void> {
    this.#probes.add(worker);
    const absent = await isNobodyOn(this.#bus, subjectOf(worker), PROBE_TIMEOUT_MS);
    this.#probes.delete(worker);
    if (!absent) this.#absentSinceMs.delete(worker);
    else if (!this.#absentSinceMs.has(worker) && this.#bus.connected) {
      this.#absentSinceMs.set(worker, this.#options.clock.look());
    }
  }
}

function subjectOf(worker: string): string {
  return `${SUBJECT}.${worker}`;
}
