import { nuid } from "nats";
import { z } from "zod";
import { Broadcast } from "../bus/broadcast.ts";
import type { Bus } from "../bus/connection.ts";
import type { Logger } from "../observe/log.ts";
import { CANDLE_POLICY, type Policy, provision, type Retention, TICK_POLICY } from "../store/provision.ts";
import type { InfluxTarget } from "../store/write_endpoint.ts";

const SUBJECT = "tickline.restored";
const PROVISION_TIMEOUT_MS = 10_000;

const schema = z.object({ from: z.string(), policy: z.enum([CANDLE_POLICY, TICK_POLICY]) });

export interface RestorationOptions {
  readonly bus: Bus;
  readonly target: InfluxTarget;
  readonly retention: Retention;
  readonly log: Logger;
  /** A policy is empty: what is still in the stream is to be stored again. */
  readonly onEmpty: (policy: Policy) => void;
}

/**
 * Makes a database or a retention policy anew that InfluxDB has lost, as far as this user may, and tells the persist
 * actors of all processes: each of them has stored what is gone now, but only who writes next finds out.
 */
export class Restoration {
  readonly #options: RestorationOptions;
  readonly #broadcast: Broadcast;
  readonly #self = nuid.next();
  #saidForbidden = false;

  constructor(options: RestorationOptions) {
    this.#options = options;
    this.#broadcast = new Broadcast(options.bus, SUBJECT, (data) => this.#onMessage(data));
  }

  /** Tells all other processes that this one has made a policy. */
  announce(policy: Policy): void {
    this.#broadcast.send(Buffer.from(JSON.stringify({ from: this.#self, policy })));
  }

  /** What a lane is to do when InfluxDB misses its policy, and when it has it again. */
  of(own: Policy) {
    return {
      onMissing: () => this.#restore(own),
      onFound: () => {
        this.#saidForbidden = false;
        this.#options.log.warn(
          { policy: own },
          "InfluxDB had lost a policy, storing again what the stream holds",
        );
        this.#options.onEmpty(own);
      },
    };
  }

  close(): void {
    this.#broadcast.close();
  }

  async #restore(own: Policy): Promise<void> {
    const { target, retention, log, onEmpty } = this.#options;
    const onCreate = (policy: Policy) => {
      this.announce(policy);
      // The lane that asked is told when it can write again.
      if (policy !== own) onEmpty(policy);
    };
    const signal = AbortSignal.timeout(PROVISION_TIMEOUT_MS);
    if ((await provision(target, retention, { log, signal, onCreate })) || this.#saidForbidden) return;
    this.#saidForbidden = true;
    const { database, username } = target;
    log.error(
      { database, username, policy: own },
      "InfluxDB misses what this user may not set up: run `make provision`",
    );
  }

  #onMessage(data: Uint8Array): void {
    const said = schema.safeParse(parse(data));
    if (said.success && said.data.from !== this.#self) this.#options.onEmpty(said.data.policy);
  }
}

/** Anything that is no JSON says nothing. */
function parse(data: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(data).toString());
  } catch {
    return undefined;
  }
}
