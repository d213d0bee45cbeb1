import { setTimeout as delay } from "node:timers/promises";
import type { NatsConnection } from "nats";
import { parseCandleSubject } from "../../src/bus/subject.ts";
import { decodeCandle } from "../../src/wire/candle_codec.ts";
import type { Broker } from "./broker.ts";
import type { Endings } from "./endings.ts";

const POLL_MS = 10;
const RECONNECT_WAIT_MS = 20;
/** A market that is silent for longer has a pause: it is heard every 100 ms. */
const PAUSE_MS = 400;

/** Hears every open candle as it is published, ten times a second for each market that trades. */
export class Pulse {
  /** By market, the newest trade that was in an open candle. */
  readonly #newestIds = new Map<string, number>();
  /** By market, when it was last heard, monotonic ms. */
  readonly #heardMs = new Map<string, number>();
  #pausedUntilMs = 0;

  static async open(endings: Endings, broker: Broker): Promise<Pulse> {
    const connection = await broker.connect({ reconnectTimeWait: RECONNECT_WAIT_MS, reconnectJitter: 0 });
    endings.after(() => connection.close());
    const pulse = new Pulse();
    pulse.#listen(connection);
    return pulse;
  }

  #listen(connection: NatsConnection): void {
    connection.subscribe("live.*.*.1s", {
      callback: (error, { subject, data }) => {
        if (error !== null) return;
        const { market, lastId } = decodeCandle(parseCandleSubject(subject), data);
        const nowMs = performance.now();
        if (nowMs - (this.#heardMs.get(market) ?? nowMs) > PAUSE_MS) this.#pausedUntilMs = nowMs;
        this.#heardMs.set(market, nowMs);
        this.#newestIds.set(market, Math.max(this.#newestIds.get(market) ?? 0, Number(lastId)));
      },
    });
  }

  /** When a pause of any market last ended, monotonic ms. */
  get pausedUntilMs(): number {
    return this.#pausedUntilMs;
  }

  /** Resolves to true when the candles of all markets have come as far as these trades; to false after the deadline. */
  async reaches(ids: ReadonlyMap<string, number>, deadlineMs: number): Promise<boolean> {
    const endMs = performance.now() + deadlineMs;
    while ([...ids].some(([market, id]) => (this.#newestIds.get(market) ?? 0) < id)) {
      if (performance.now() > endMs) return false;
      await delay(POLL_MS);
    }
    return true;
  }
}
