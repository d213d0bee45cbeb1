import { setTimeout as delay } from "node:timers/promises";
import { startInfluxd } from "../../src/servers/influxd.ts";
import type { PrivateServer } from "../../src/servers/private_server.ts";
import type { Random } from "../../src/simulator/random.ts";
import { CuttableWire } from "../feed/cuttable_wire.ts";
import { createStore, type Store, until } from "../pipeline/harness.ts";
import { Command } from "../run/command.ts";
import { FaultyInfluxd } from "../store/faulty_influxd.ts";
import { Broker } from "./broker.ts";
import { ChaosVenue, MARKETS } from "./chaos_venue.ts";
import type { Endings } from "./endings.ts";
import { Pulse } from "./pulse.ts";

const TRADES_PER_SECOND = 300;
const QUERY_DEADLINE_MS = 5_000;
const START_DEADLINE_MS = 60_000;
/** Room for what TICKS and LIVE may take, and some more, which a fault can use up. */
const MAX_MEMORY_BYTES = 160 * 1024 * 1024;

/** Processes of one command, each of which is replaced when it dies, as a service manager would. */
export class Crew {
  readonly members: Command[] = [];
  /** All that there ever were. */
  readonly everyone: Command[] = [];
  readonly #hire: () => Command;

  constructor(hire: () => Command, size: number) {
    this.#hire = hire;
    for (let i = 0; i < size; i++) this.members.push(this.#another());
  }

  #another(): Command {
    const command = this.#hire();
    this.everyone.push(command);
    return command;
  }

  async replace(index: number): Promise<void> {
    this.members[index]!.send("SIGKILL");
    await this.members[index]!.ends();
    this.members[index] = this.#another();
  }
}

/** Everything that a fault may hit: servers, venue and processes; and what shows how they are. */
export interface Stage {
  readonly broker: Broker;
  readonly influxd: PrivateServer;
  /** Where all workers reach it. */
  readonly influxProxy: FaultyInfluxd;
  readonly venue: ChaosVenue;
  /** Where all ingests reach it. */
  readonly wire: CuttableWire;
  readonly workers: Crew;
  readonly ingests: Crew;
  readonly store: Store;
  readonly pulse: Pulse;
}

/** Starts a whole pipeline, and trading once it is ready. */
export async function openStage(endings: Endings, random: Random): Promise<Stage> {
  const broker = await Broker.start(endings, MAX_MEMORY_BYTES);
  const influxd = await startInfluxd();
  endings.after(() => influxd.stop());
  const influxProxy = await FaultyInfluxd.start(influxd.url);
  endings.after(() => influxProxy.stop());
  const venue = await ChaosVenue.start(random, TRADES_PER_SECOND);
  endings.after(() => venue.stop());
  const wire = await CuttableWire.start(Number(new URL(venue.server.url).port));
  endings.after(() => wire.stop());
  const env = {
    INFLUX_URL: influxProxy.url,
    BINANCE_WS_URL: wire.url,
    MARKETS: MARKETS.map(({ id }) => id).join(),
    INTERVALS: "1s,1m",
    SHARDS: "4",
    TICK_MAX_AGE: "60s",
    TICK_MAX_BYTES: "32MiB",
    LOG_LEVEL: "info",
  };
  const hire = (command: string, user: "ingest" | "worker") => () =>
    new Command(endings, command, { ...env, ...broker.environmentOf(user) });
  const workers = new Crew(hire("run-workers", "worker"), 3);
  const ingests = new Crew(hire("run-ingest", "ingest"), 2);
  const store = createStore(influxd.url, "market");
  const pulse = await Pulse.open(endings, broker);
  const stage = { broker, influxd, influxProxy, venue, wire, workers, ingests, store, pulse };
  const { length } = ingests.members;
  await until("all ingests follow the venue", () => venue.isFollowedBy(length), START_DEADLINE_MS);
  venue.open();
  const startMs = Date.now();
  await until("candles are stored", () => isStored(stage, startMs), START_DEADLINE_MS);
  return stage;
}

/** Whether each market has a stored candle that has trades and began after an instant, ms. */
export async function isStored({ store }: Pick<Stage, "store">, sinceMs: number): Promise<boolean> {
  const query =
    `SELECT count("trades") FROM candles.candles WHERE "interval" = '1s' AND "trades" > 0 ` +
    `AND time >= ${sinceMs}ms GROUP BY "market"`;
  // The client waits for ever where an answer got lost with its server.
  const timeout = new AbortController();
  const nothing = delay(QUERY_DEADLINE_MS, [], { signal: timeout.signal }).catch(() => []);
  const rows = await Promise.race([store.query(query).catch(() => []), nothing]);
  timeout.abort();
  return rows.length === MARKETS.length;
}
