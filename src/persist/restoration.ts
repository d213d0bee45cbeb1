import { nuid } from "nats";
import { z } from "zod";
import { Broadcast } from "../bus/broadcast.ts";
import type { Bus } from "../bus/connection.ts";
import type { Logger } from "../observe/log.ts";
import { CANDLE_POLICY, type Policy, provision, type Retention, TICK_POLICY } from "../store/provision.ts";
import type { InfluxTarget } from "../store/write_endpoint.ts";

const SUBJECT = "tickline.restored";
/** News is said so often: somebody may have no connection just then. Each hears it once. */
const TIMES = 8;
const REPEAT_MS = 1_000;
/** Most news that is remembered. */
const MAX_HEARD = 1_024;
const PROVISION_TIMEOUT_MS = 10_000;

const schema = z.object({ id: z.string(), policy: z.enum([CANDLE_POLICY, TICK_POLICY]) });

type News = z.infer<typeof schema>;

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
  /** What was heard or said, oldest first. */
  readonly #heard = new Set<string>();
  readonly #repeats = new Set<NodeJS.Timeout>();
  #saidForbidden = false;

  constructor(options: RestorationOptions) {
    this.#options = options;
    this.#broadcast = new Broadcast(options.bus, SUBJECT, (data) => this.#onMessage(data));
  }

  /** Tells all other processes that this one has made a policy. */
  announce(policy: Policy): void {
    const news = { id: nuid.next(), policy };
    this.#isNew(news);
    const data = Buffer.from(JSON.stringify(news));
    let left = TIMES;
    const say = () => {
      this.#broadcast.send(data);
      if (--left > 0) return;
      clearInterval(timer);
      this.#repeats.delete(timer);
    };
    const timer = setInterval(say, REPEAT_MS);
    this.#repeats.add(timer);
    say();
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
    for (const timer of this.#repeats) clearInterval(timer);
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
    if (said.success && this.#isNew(said.data)) this.#options.onEmpty(said.data.policy);
  }

  #isNew({ id }: News): boolean {
    if (this.#heard.has(id)) return false;
    this.#heard.add(id);
    if (this.#heard.size > MAX_HEARD) this.#heard.delete(this.#heard.values().next().value!);
    return true;
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
