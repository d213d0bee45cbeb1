import { Writable } from "node:stream";
import { pino } from "pino";
import type { Actor } from "../../src/actor/actor.ts";
import type { Logger } from "../../src/observe/log.ts";
import { startInfluxd } from "../../src/servers/influxd.ts";
import { InfluxLane, type LaneOptions } from "../../src/store/influx_lane.ts";
import { createInfluxClient, provision } from "../../src/store/provision.ts";
import { type BusTest, busTest } from "../bus/harness.ts";

export interface PersistTest extends BusTest {
  readonly influxd: Awaited<ReturnType<typeof startInfluxd>>;
  readonly log: Logger;
  /** Messages of the log so far. */
  readonly logged: readonly string[];
  openLane(options: Partial<LaneOptions> & Pick<LaneOptions, "retentionPolicy">): InfluxLane;
  /** Runs an actor until the returned function is called, at the latest until the end of the test. */
  start(actor: Actor): () => Promise<void>;
  rows(query: string): Promise<Row[]>;
}

export type Row = Record<string, unknown> & { readonly time: Date & { getNanoTime(): string } };

const DATABASE = "market";

/** Declares a test with a nats-server, its streams and an influxd of its own. */
export function persistTest(name: string, body: (t: PersistTest) => Promise<void>): void {
  busTest(name, async (bus) => {
    const influxd = await startInfluxd();
    const ends: (() => Promise<unknown>)[] = [() => influxd.stop()];
    try {
      await body(await open(bus, influxd, ends));
    } finally {
      for (const end of ends.reverse()) await end();
    }
  });
}

async function open(
  bus: BusTest,
  influxd: PersistTest["influxd"],
  ends: (() => Promise<unknown>)[],
): Promise<PersistTest> {
  await bus.streams.ensure("CANDLES");
  await bus.streams.ensure("TICKS");
  const { log, logged } = createLogbook();
  const target = { url: influxd.url, database: DATABASE };
  await provision(target, { candlesMs: 0, ticksMs: 0 }, { log, signal: bus.signal });
  const client = createInfluxClient(target);
  return {
    ...bus,
    influxd,
    log,
    logged,
    openLane(options) {
      const lane = new InfluxLane({
        name: options.retentionPolicy,
        target,
        precision: options.retentionPolicy === "ticks" ? "ns" : "ms",
        flushMs: 20,
        inFlight: 1,
        maxLines: 1_000,
        log,
        ...options,
      });
      ends.push(() => lane.close());
      return lane;
    },
    start(actor) {
      const stop = new AbortController();
      const context = { signal: stop.signal, ready: () => undefined, beat: () => undefined };
      const running = actor.run(context);
      const end = async () => {
        stop.abort();
        await running;
      };
      ends.push(end);
      return end;
    },
    rows: async (query) => [...(await client.query<Row>(query))],
  };
}

function createLogbook(): { log: Logger; logged: string[] } {
  const logged: string[] = [];
  const book = new Writable({
    write(line, _, done) {
      logged.push((JSON.parse(String(line)) as { msg: string }).msg);
      done();
    },
  });
  return { log: pino({ level: "warn" }, book), logged };
}
