import { counter, countsBy, gauge, type Metric, withNoughts } from "../observe/metric.ts";
import type { CandlePersistActor } from "../persist/candle_persist.ts";
import type { TickPersistActor } from "../persist/tick_persist.ts";
import type { InfluxLane } from "../store/influx_lane.ts";

/** Metrics of the actor that stores candles. */
export const CANDLE_PERSIST_METRICS: readonly Metric<CandlePersistActor>[] = [
  counter(
    "persist_candles_total",
    "Candles and revisions of the shards that this process stores that were read from NATS.",
    (actor) => actor.status().received,
  ),
  counter(
    "persist_stale_candles_total",
    "Revisions that were not stored because a newer one had been.",
    (actor) => actor.status().staleRevisions,
  ),
  counter(
    "persist_fenced_candles_total",
    "Candles that were not stored because a past owner of their shard had published them.",
    (actor) => actor.status().fenced,
  ),
  counter(
    "persist_other_candles_total",
    "Candles that were read and left to the process that stores their shard.",
    (actor) => actor.status().elsewhere,
  ),
];

/** Metrics of each actor that stores ticks. */
export const TICK_PERSIST_METRICS: readonly Metric<TickPersistActor>[] = [
  countsBy(
    "outcome",
    "persist_ticks_total",
    "Trades that were read from NATS to be stored: received, skipped for TICK_MAX_LAG, repeated in a message that came " +
      "again, or of a bad_name that InfluxDB cannot have.",
    ({ ticks }) => withNoughts(ticks, ["received", "skipped", "repeated", "bad_name"]),
  ),
  counter(
    "persist_lost_ticks_total",
    "Trades that NATS shed, or never had, before they could be stored.",
    (actor) => actor.status().lostTicks,
  ),
  counter(
    "persist_lost_messages_total",
    "Messages with trades that NATS shed, or lost, before they could be stored.",
    (actor) => actor.status().lostBatches,
  ),
];

/** Metrics of each actor that stores something. */
export const PERSIST_METRICS: readonly Metric<CandlePersistActor | TickPersistActor>[] = [
  countsBy("reason", "persist_bad_messages_total", "Messages that could not be read.", ({ badMessages }) =>
    badMessages.entries(),
  ),
];

/** Metrics of the lanes to InfluxDB. */
export const LANE_METRICS: readonly Metric<InfluxLane>[] = [
  gauge("influx_up", "Whether InfluxDB took the latest request: 1 or 0.", ({ obstacle }) =>
    obstacle === undefined ? 1 : 0,
  ),
  countsBy(
    "outcome",
    "influx_lines_total",
    "Lines by what became of them: stored, beyond_retention (older than InfluxDB keeps), poison (it refuses them), or " +
      "left to the process that took over.",
    ({ lines }) => withNoughts(lines, ["stored", "beyond_retention", "poison", "left"]),
  ),
  gauge("influx_pending_lines", "Lines that are not stored yet.", ({ pending }) => pending),
  countsBy(
    "cause",
    "influx_retries_total",
    "Requests that had to be repeated; nothing is lost while NATS holds what follows.",
    ({ retries }) => withNoughts(retries, ["network", "timeout"]),
  ),
];
