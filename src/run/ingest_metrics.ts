import { FRAME_REJECTIONS } from "../exchange/exchange.ts";
import type { CloseCause } from "../feed/feed_socket.ts";
import type { IngestAccount } from "../ingest/ingest_account.ts";
import type { GateRejection } from "../ingest/trade_gate.ts";
import { counter, countsBy, gauge, type Metric, withNoughts } from "../observe/metric.ts";
import type { IngestRole } from "./ingest_role.ts";

const MS_PER_S = 1_000;
const GATE_REJECTIONS: readonly GateRejection[] = [
  "time_skew",
  "time_jump",
  "time_past",
  "id_jump",
  "stale_id",
];
const REJECTIONS = [...FRAME_REJECTIONS, "binary", "oversized", ...GATE_REJECTIONS];
const DROP_CAUSES = ["disconnected", "window_full", "too_large", "no_stream", "timeout"];
const CONNECTION_ENDS: readonly CloseCause[] = [
  "stopped",
  "replaced",
  "refused",
  "lost",
  "closed",
  "no_pong",
  "silence",
  "stale",
];

/** Metrics of each venue. */
export const VENUE_METRICS: readonly Metric<IngestAccount>[] = [
  gauge("feed_markets", "Markets that this process follows.", ({ markets }) => markets),
  gauge(
    "feed_connected_markets",
    "Markets of which every trade arrives now; fewer than tickline_feed_markets means candles that are not complete.",
    ({ connectedMarkets }) => connectedMarkets,
  ),
  counter(
    "feed_connections_total",
    "Connections to the venue that were opened.",
    ({ connections }) => connections,
  ),
  counter(
    "feed_rollovers_total",
    "Connections that were replaced by a younger one without a gap, as the venue cuts them after a day.",
    ({ rollovers }) => rollovers,
  ),
  countsBy(
    "cause",
    "feed_ends_total",
    "Connections to the venue, and attempts at one, that ended.",
    ({ connectionEnds }) => withNoughts(connectionEnds, CONNECTION_ENDS),
  ),
  counter(
    "feed_refused_subscriptions_total",
    "Subscriptions that the venue refused: a market that it does not have, or too many at a time.",
    ({ refusedSubscriptions }) => refusedSubscriptions,
  ),
  counter(
    "feed_pauses_total",
    "How often reading from the venue was paused because NATS was too slow.",
    ({ pauses }) => pauses,
  ),
  counter("feed_frames_total", "Frames of any kind that the venue sent.", ({ frames }) => frames),
  counter("feed_frames_ignored_total", "Frames that are known and carry no trade.", ({ ignored }) => ignored),
  counter(
    "ticks_received_total",
    "Trades and unreadable frames that came in: the sum of accepted, duplicate, rejected and held ones.",
    ({ received }) => received,
  ),
  counter("ticks_accepted_total", "Distinct, plausible trades.", ({ accepted }) => accepted),
  counter(
    "ticks_duplicate_total",
    "Trades that had come before, as they do while one connection takes over from another.",
    ({ duplicates }) => duplicates,
  ),
  countsBy(
    "reason",
    "ticks_rejected_total",
    "Frames that could not be read, and trades that cannot be true.",
    ({ rejected }) => withNoughts(rejected, REJECTIONS),
  ),
  gauge(
    "ticks_held",
    "Trades that wait for another one to confirm their time or number, for a second at most.",
    ({ held }) => held,
  ),
  gauge(
    "ticks_missing",
    "Trades that the venue numbered and that have not come; goes down when they come late.",
    ({ missing }) => missing,
  ),
  gauge(
    "ticks_kept",
    "Trades of the last seconds, kept in case the process dies that publishes them.",
    ({ kept }) => kept,
  ),
  counter(
    "ticks_passed_total",
    "Trades of the time when this process did not lead, which it keeps no longer: whoever leads publishes them.",
    ({ passed }) => passed,
  ),
  counter("ticks_published_total", "Trades that were sent to NATS.", ({ publishedTicks }) => publishedTicks),
  counter(
    "ticks_confirmed_total",
    "Trades that NATS has confirmed: with the next three and those that were dropped, all that were accepted.",
    ({ confirmedTicks }) => confirmedTicks,
  ),
  gauge(
    "ticks_under_way",
    "Trades that were sent to NATS, which has not answered yet.",
    ({ underWayTicks }) => underWayTicks,
  ),
  gauge(
    "ticks_collected",
    "Trades that are about to be sent to NATS.",
    ({ collectedTicks }) => collectedTicks,
  ),
  countsBy(
    "cause",
    "ticks_unconfirmed_total",
    "Trades that were sent to NATS, which did not answer; tickline_kline_lost_ticks_total tells whether it had them.",
    ({ unconfirmedTicks }) => withNoughts(unconfirmedTicks, ["timeout", "disconnected"]),
  ),
  countsBy(
    "cause",
    "ticks_dropped_total",
    "Trades that NATS did not take, because it was too slow or not there.",
    ({ droppedTicks }) =>
      withNoughts(droppedTicks, ["disconnected", "window_full", "too_large", "no_stream"]),
  ),
  gauge(
    "venue_time_seconds",
    "Time of the venue's latest trade, seconds since 1970; 0 before the first.",
    ({ venueMs }) => venueMs / MS_PER_S,
  ),
  gauge(
    "venue_receive_lag_seconds",
    "From the venue's clock at the last trade to this host's at its receipt: the way here and what the clocks differ.",
    ({ receiveLagMs }) => receiveLagMs / MS_PER_S,
  ),
];

/** Metrics of what all venues publish. */
export const TICK_MESSAGE_METRICS: readonly Metric<IngestRole>[] = [
  counter(
    "tick_messages_stored_total",
    "Messages with trades that NATS has confirmed.",
    ({ storedMessages }) => storedMessages,
  ),
  countsBy(
    "cause",
    "tick_messages_dropped_total",
    "Messages with trades that NATS did not take or confirm; candles that lack them are not complete.",
    ({ dropped }) => withNoughts(dropped, DROP_CAUSES),
  ),
];
