import { startInfluxd } from "../../src/servers/influxd.ts";
import { startNatsServer } from "../../src/servers/nats_server.ts";
import type { PrivateServer } from "../../src/servers/private_server.ts";
import type { Random } from "../../src/simulator/random.ts";
import { createStore, type Store, until } from "../pipeline/harness.ts";
import { Command } from "../run/command.ts";
import { ChaosVenue, MARKETS } from "./chaos_venue.ts";

const TRADES_PER_SECOND = 300;
const START_DEADLINE_MS = 60_000;

/** What ends with the run, last begun first. */
export class Endings {
  readonly #tasks: (() => unknown)[] = [];

  readonly after = (task?: unknown): void => {
    if (typeof task === "function") this.#tasks.push(task as () => unknown);
  };

  async run(): Promise<void> {
    for (const task of this.#tasks.toReversed()) await task();
  }
}

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

/** Everything that a fault may hit: servers, venue and processes. */
export interface Stage {
  readonly nats: PrivateServer;
  readonly influxd: PrivateServer;
  readonly venue: ChaosVenue;
  readonly workers: Crew;
  readonly ingests: Crew;
  readonly store: Store;
}

/** Starts a whole pipeline, and trading once it is ready. */
export async function openStage(endings: Endings, random: Random): Promise<Stage> {
  const nats = await startNatsServer();
  endings.after(() => nats.stop());
  const influxd = await startInfluxd();
  endings.after(() => influxd.stop());
  const venue = await ChaosVenue.start(random, TRADES_PER_SECOND);
  endings.after(() => venue.stop());
  const env = {
    NATS_URL: nats.url,
    INFLUX_URL: influxd.url,
    BINANCE_WS_URL: venue.server.url,
    MARKETS: MARKETS.map(({ id }) => id).join(),
    INTERVALS: "1s,1m",
    SHARDS: "4",
    TICK_MAX_AGE: "60s",
    LOG_LEVEL: "info",
  };
  const workers = new Crew(() => new Command(endings, "run-workers", env), 3);
  const ingests = new Crew(() => new Command(endings, "run-ingest", env), 2);
  const store = createStore(influxd.url, "market");
  const stage = { nats, influxd, venue, workers, ingests, store };
  await until("ingest follows the venue", () => venue.isFollowed, START_DEADLINE_MS);
  venue.open();
  const startMs = Date.now();
  await until("candles are stored", () => isLively(stage, startMs), START_DEADLINE_MS);
  return stage;
}

/** Whether each market has a stored candle that has trades and began after an instant, ms. */
export async function isLively({ store }: Stage, sinceMs: number): Promise<boolean> {
  const query =
    `SELECT count("trades") FROM candles.candles WHERE "interval" = '1s' AND "trades" > 0 ` +
    `AND time >= ${sinceMs}ms GROUP BY "market"`;
  const rows = await store.query(query).catch(() => []);
  return rows.length === MARKETS.length;
}
