import type { Bus } from "../bus/connection.ts";
import { counter, countsBy, gauge, type Metric, withNoughts } from "../observe/metric.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Tally } from "../observe/tally.ts";
import { TICK_MESSAGE_METRICS, VENUE_METRICS } from "./ingest_metrics.ts";
import { CANDLE_METRICS, KLINE_METRICS } from "./kline_metrics.ts";
import { busesOf, lanesOf, type Observation } from "./observation.ts";
import {
  CANDLE_PERSIST_METRICS,
  LANE_METRICS,
  PERSIST_METRICS,
  TICK_PERSIST_METRICS,
} from "./persist_metrics.ts";
import type { Roles } from "./stages.ts";
import { statusOf } from "./status.ts";

const PROCESS_METRICS: readonly Metric<Observation>[] = [
  gauge("ready", "Whether the process does its job, as /readyz says: 1 or 0.", (observation) =>
    observation.obstacles().length === 0 ? 1 : 0,
  ),
  countsBy(
    "event",
    "actor_events_total",
    "Failures of actors, after which they started afresh; after escalated the process ends.",
    ({ events }) => withNoughts(events, ["failed", "returned", "stalled", "abandoned", "escalated"]),
  ),
];

const LOSS_METRICS: readonly Metric<Roles>[] = [
  counter(
    "lost_total",
    "Trades and candles that this process lost on the way, or InfluxDB refused, all causes; other metrics say which.",
    (roles) => statusOf(roles).lost,
  ),
  gauge(
    "unexplained",
    "Trades and candles of which this process does not know what became of them; never anything but 0 without a bug.",
    (roles) => statusOf(roles).unexplained,
  ),
];

const ACTOR_METRICS: readonly Metric<string>[] = [
  gauge("actor_ready", "Whether an actor works: 1 or 0.", (state) => (state === "ready" ? 1 : 0)),
];

const BUS_METRICS: readonly Metric<Bus>[] = [
  gauge("bus_connected", "Whether there is a connection to NATS: 1 or 0.", ({ connected }) =>
    connected ? 1 : 0,
  ),
  countsBy(
    "event",
    "bus_events_total",
    "What happened to the connection to NATS; error is what the server reports, such as a missing permission.",
    ({ events }) => withNoughts(events, ["disconnect", "reconnect", "stale", "replaced", "error"]),
  ),
];

const READER_METRICS: readonly Metric<{ readonly readerRestarts: Tally }>[] = [
  countsBy(
    "cause",
    "reader_restarts_total",
    "How often an actor had to begin anew to read its stream; nothing is lost that the stream still holds.",
    ({ readerRestarts }) => readerRestarts.entries(),
  ),
];

const LAG = {
  name: "tick_lag_seconds",
  help: "From the receipt of a trade's frame until the trade is in its candle.",
};

/** Adds what can be said of a process before any role is open. */
export function addProcessMetrics(metrics: Metrics, observation: Observation): void {
  metrics.add([], () => [[{}, observation]], PROCESS_METRICS);
}

/** Adds what the roles of a process count. */
export function addRoleMetrics(metrics: Metrics, { states, lags }: Observation, roles: Roles): void {
  const { ingest, kline, persist } = roles;
  const persistActors = persist === undefined ? [] : [persist.candleActor, ...persist.tickActors];
  const readers = [...(kline?.actors ?? []), ...persistActors];

  metrics.add([], () => [[{}, roles]], LOSS_METRICS);
  metrics.add(["actor"], () => [...states].map(([actor, state]) => [{ actor }, state]), ACTOR_METRICS);
  metrics.add(["role"], () => busesOf(roles).map(([role, bus]) => [{ role }, bus]), BUS_METRICS);
  if (readers.length > 0) metrics.add(["actor"], () => byName(readers), READER_METRICS);
  if (ingest !== undefined) {
    const accounts = () => ingest.actors.map((actor) => actor.account());
    const byVenue = () => accounts().map((account) => [{ venue: account.venue }, account] as const);
    metrics.add(["venue"], byVenue, VENUE_METRICS);
    metrics.add([], () => [[{}, ingest]], TICK_MESSAGE_METRICS);
  }
  if (kline !== undefined) {
    metrics.add(["actor"], () => byName(kline.actors), KLINE_METRICS);
    metrics.add([], () => [[{}, kline]], CANDLE_METRICS);
    metrics.addLag(LAG.name, LAG.help, () => lags.all(roles));
  }
  if (persist !== undefined) {
    metrics.add([], () => [[{}, persist.candleActor]], CANDLE_PERSIST_METRICS);
    metrics.add(["actor"], () => byName(persist.tickActors), TICK_PERSIST_METRICS);
    metrics.add(["actor"], () => byName(persistActors), PERSIST_METRICS);
    metrics.add(["lane"], () => lanesOf(roles).map(([lane, source]) => [{ lane }, source]), LANE_METRICS);
  }
}

function byName<A extends { readonly name: string }>(actors: readonly A[]) {
  return actors.map((actor) => [{ actor: actor.name }, actor] as const);
}
