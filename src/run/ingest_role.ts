import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Actor, Permissions } from "../actor/actor.ts";
import type { Bus } from "../bus/connection.ts";
import { registerService } from "../bus/service.ts";
import { TickPublisher } from "../bus/tick_publisher.ts";
import type { Config } from "../config.ts";
import { BINANCE_WS_URL, createBinanceExchange } from "../exchange/binance.ts";
import { createIngestActor, type IngestActor } from "../ingest/ingest.ts";
import type { IngestAccount } from "../ingest/ingest_account.ts";
import { Tally } from "../observe/tally.ts";
import type { SimulatedVenue } from "../simulator/simulated_venue.ts";
import { registerAccounts } from "./account_service.ts";
import { ingestAccounts } from "./ingest_accounts.ts";
import { divideAmongAll, type Supervision } from "./leased.ts";
import { natsHosts, openBus, type Setting } from "./setting.ts";

/** Longest that a process which cannot reach its venues leaves them to others, ms. */
const CONNECT_DEADLINE_MS = 5_000;
const CONNECT_POLL_MS = 20;

/** The ingest actors of a process. */
export interface IngestRole {
  readonly bus: Bus;
  readonly actors: readonly IngestActor[];
  /** What is to be run: all actors, and one that has those publish of which this process has the lease. */
  supervised(supervision: Supervision): readonly Actor[];
  /** Tick messages that the bus did not take or store, by cause. */
  readonly dropped: Tally;
  /** Tick messages that the stream has confirmed. */
  readonly storedMessages: number;
  /** Waits until every message under way is stored or dropped, or the signal is aborted. */
  settle(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Where a venue's WebSocket is. */
export type VenueUrls = Readonly<Record<string, string>>;

/** The URLs of all venues; that of `sim` is its market in this process, unless one elsewhere is configured. */
export function venueUrls({ binanceWsUrl, simWsUrl }: Config, ownMarket?: SimulatedVenue): VenueUrls {
  const sim = simWsUrl ?? ownMarket?.server.url;
  return { binance: binanceWsUrl ?? BINANCE_WS_URL, ...(sim === undefined ? {} : { sim }) };
}

/** Opens an ingest actor for each venue of `MARKETS`. */
export async function openIngest(setting: Setting, urls: VenueUrls): Promise<IngestRole> {
  const { config, log } = setting;
  const { bus, streams } = await openBus(setting, "ingest");
  try {
    await streams.ensure("TICKS");
  } catch (error) {
    await bus.close();
    throw error;
  }
  const dropped = new Tally();
  const publisher = new TickPublisher(bus, streams, dropped);
  const venues = [...new Set(config.markets.map(({ venue }) => venue))];
  const actors = venues.map((venue) =>
    createIngestActor({
      exchange: createBinanceExchange({ venue }),
      url: urls[venue]!,
      markets: config.markets.filter((market) => market.venue === venue),
      shards: config.shards,
      publisher,
      log,
      latenessMs: config.latenessMs,
      busHosts: natsHosts(config),
      feed: { maxAgeMs: config.tickMaxLagMs },
      standby: true,
    }),
  );
  const unregister = await Promise.all([
    registerAccounts(bus, () => ingestAccounts({ actors })),
    ...actors.map((actor) =>
      registerService(bus, {
        name: "tickline-ingest",
        description: "Turns a venue's trades into tick batches",
        metadata: { venue: actor.venue },
        status: () => toPlain(actor.account()),
      }),
    ),
  ]);
  const permissions = { net: natsHosts(config), env: [] };
  const pieces = actors.map(
    (actor) => [pieceOf(actor.venue, config), () => leaderOf(actor, permissions)] as const,
  );
  const divided = divideAmongAll(bus, setting, { name: "ingest", pieces: new Map(pieces), permissions });
  return {
    bus,
    actors,
    // The last ones stop first: what comes until the feeds have ended is still published.
    supervised: (supervision) => [
      ...divided(supervision).map((leases) => onceConnected(actors, leases)),
      ...actors,
    ],
    dropped,
    get storedMessages() {
      return publisher.storedBatches;
    },
    settle: (signal) => publisher.settled(signal),
    async close() {
      publisher.close();
      await Promise.all(unregister.map((stop) => stop()));
      await bus.close();
    },
  };
}

/**
 * Has a process take leases once it follows its venues, or after a while: it is not to take over from who follows them
 * already, and then miss the first trades.
 */
function onceConnected(actors: readonly IngestActor[], leases: Actor): Actor {
  return {
    name: leases.name,
    permissions: leases.permissions,
    async run(context) {
      context.ready();
      const deadlineMs = performance.now() + CONNECT_DEADLINE_MS;
      const isDue = () => actors.every(({ isConnected }) => isConnected) || performance.now() > deadlineMs;
      while (!isDue() && !context.signal.aborted) await delay(CONNECT_POLL_MS);
      await leases.run(context);
    },
  };
}

/** Has an actor publish for as long as this process has the lease; all processes follow the venue. */
function leaderOf(actor: IngestActor, permissions: Permissions): Actor {
  return {
    name: `lead-${actor.venue}`,
    permissions,
    run({ signal, ready }) {
      ready();
      return actor.lead(signal);
    },
  };
}

/**
 * What processes must agree on to stand in for each other: the same markets of a venue. Others of the same venue are
 * another piece of work.
 */
function pieceOf(venue: string, { markets }: Config): string {
  const own = markets.filter((market) => market.venue === venue).map(({ name }) => name);
  const digest = createHash("sha256").update(own.sort().join()).digest("hex").slice(0, 8);
  return `ingest.${venue}.${digest}`;
}

/** An account as it goes out: a tally keeps its counts to itself, and JSON would show none of them. */
function toPlain(account: IngestAccount): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(account).map(([name, value]) => [
      name,
      value instanceof Tally ? Object.fromEntries(value.entries()) : value,
    ]),
  );
}
