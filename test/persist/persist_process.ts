import { Writable } from "node:stream";
import type { TestContext } from "node:test";
import { pino } from "pino";
import { Bus } from "../../src/bus/connection.ts";
import { candleSubject, tickSubject } from "../../src/bus/subject.ts";
import { type Environment, parseConfig } from "../../src/config.ts";
import type { Candle } from "../../src/market/candle.ts";
import { createLog, type Logger } from "../../src/observe/log.ts";
import { Observation } from "../../src/run/observation.ts";
import { openPersist, type PersistRole } from "../../src/run/persist_role.ts";
import { runRoles } from "../../src/run/stages.ts";
import { encodeCandle } from "../../src/wire/candle_codec.ts";
import { TickEncoder } from "../../src/wire/tick_encoder.ts";
import { eventually } from "../bus/harness.ts";
import { candle, tickBatch } from "../store/stored_values.ts";

const BATCH = 500;
const SHARD = 0;

/** What `run-workers` runs with `ACTORS=persist`, and how it shows itself. */
export interface PersistProcess {
  readonly role: PersistRole;
  /** Messages of its log from warnings on. */
  readonly logged: readonly Record<string, unknown>[];
  /** What `/readyz` says. */
  obstacles(): readonly string[];
}

/** Starts the persist actors as a process has them; they end with the test. */
export async function startPersist(t: TestContext, env: Environment): Promise<PersistProcess> {
  const logged: Record<string, unknown>[] = [];
  const config = parseConfig({ SHARDS: "1", SHARD: "0", TICK_RETENTION: "0", ...env });
  const stop = new AbortController();
  const log = createLogbook(logged);
  const role = await openPersist({ config, log, signal: stop.signal });
  const observation = new Observation(stop.signal);
  observation.roles = { persist: role };
  const { events, states } = observation;
  const running = runRoles(observation.roles, log, stop.signal, { events, states });
  t.after(async () => {
    stop.abort();
    await running;
  });
  await eventually("the actors are ready", () => observation.obstacles().length === 0);
  return { role, logged, obstacles: () => observation.obstacles() };
}

function createLogbook(logged: Record<string, unknown>[]): Logger {
  const book = new Writable({
    write(line, _, done) {
      logged.push(JSON.parse(String(line)) as Record<string, unknown>);
      done();
    },
  });
  return pino({ level: "warn" }, book);
}

/** Publishes candles and ticks as other processes do. Each is another one; when it resolves the stream has them. */
export class Publisher {
  /** Of which everything can be told from its number. */
  candles = 0;
  ticks = 0;
  readonly #bus: Bus;
  readonly #encoder = new TickEncoder();
  #seq = 0;

  private constructor(bus: Bus) {
    this.#bus = bus;
  }

  static async open(t: TestContext, natsUrl: string): Promise<Publisher> {
    const { signal } = new AbortController();
    const bus = await Bus.open({ servers: [natsUrl], name: "test", log: createLog("silent"), signal });
    t.after(() => bus.close());
    return new Publisher(bus);
  }

  /** Candles of consecutive seconds, or some that are special. */
  async publishCandles(count: number, special: Partial<Candle> = {}): Promise<void> {
    const jetStream = this.#bus.connection.jetstream();
    const acks = Array.from({ length: count }, () => {
      const openMs = candle.openMs + this.candles * 1_000;
      const one = { ...candle, interval: "1s" as const, trades: this.candles++, openMs, ...special };
      return jetStream.publish(candleSubject(one), encodeCandle(one));
    });
    await Promise.all(acks);
  }

  /** Ticks with consecutive ids, one a millisecond, as many as make whole batches. */
  async publishTicks(count: number): Promise<void> {
    const jetStream = this.#bus.connection.jetstream();
    for (const end = this.ticks + count; this.ticks < end; ) {
      const batch = Array.from({ length: BATCH }, () => {
        const id = this.ticks++;
        return {
          market: "BTC-USDT",
          price: 1,
          quantity: 1,
          side: "buy",
          id,
          timeMs: candle.openMs + id,
        } as const;
      });
      const message = {
        epoch: 1,
        seq: ++this.#seq,
        sentMs: Date.now(),
        venueMs: 0,
        ticks: tickBatch(batch),
        down: [],
      };
      await jetStream.publish(tickSubject(SHARD, "binance"), this.#encoder.encode(message));
    }
  }
}
