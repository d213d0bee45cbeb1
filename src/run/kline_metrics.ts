import type { KlineActor } from "../kline/kline.ts";
import { counter, countsBy, gauge, type Metric, withNoughts } from "../observe/metric.ts";
import type { KlineRole } from "./kline_role.ts";

/** Metrics of each kline actor. */
export const KLINE_METRICS: readonly Metric<KlineActor>[] = [
  counter(
    "kline_messages_total",
    "Messages with trades that were read from NATS.",
    (actor) => actor.status().messages,
  ),
  counter(
    "kline_lost_ticks_total",
    "Trades that are missing from their numbering, so dropped by ingest or shed by NATS.",
    (actor) => actor.status().lostTicks,
  ),
  counter(
    "kline_lost_messages_total",
    "Messages that are missing from their numbering, so lost on the way; candles that lack them are not complete.",
    (actor) => actor.status().lostBatches,
  ),
  counter(
    "kline_duplicate_messages_total",
    "Messages that had been read before, as they are after a reconnect.",
    (actor) => actor.status().duplicateBatches,
  ),
  countsBy("reason", "kline_bad_messages_total", "Messages that could not be read.", ({ badMessages }) =>
    badMessages.entries(),
  ),
  countsBy(
    "outcome",
    "kline_ticks_total",
    "Trades by what became of them: accepted into an open candle, late into a closed one, too_late for any, " +
      "duplicate, resumed from a snapshot, skipped for TICK_MAX_LAG, or repeated in a message that came again.",
    ({ ticks }) =>
      withNoughts(ticks, ["accepted", "late", "too_late", "duplicate", "resumed", "skipped", "repeated"]),
  ),
  counter(
    "candles_closed_total",
    "Candles that were closed and handed to NATS.",
    (actor) => actor.status().candlesClosed,
  ),
  counter(
    "candles_revised_total",
    "Closed candles that a late trade changed, handed to NATS anew.",
    (actor) => actor.status().candlesRevised,
  ),
  countsBy(
    "outcome",
    "candles_recalled_total",
    "Forgotten candles that a trade came too late for: incomplete now, known to be incomplete before, or not found.",
    ({ recalls }) => withNoughts(recalls, ["incomplete", "known", "not_found"]),
  ),
];

/** Metrics of the candles of all kline actors on their way to NATS. */
export const CANDLE_METRICS: readonly Metric<KlineRole>[] = [
  counter(
    "candles_published_total",
    "Candles and revisions that NATS has confirmed.",
    ({ candles }) => candles.stored,
  ),
  gauge(
    "candles_pending",
    "Candles and revisions that NATS has not confirmed yet.",
    ({ candles }) => candles.pending,
  ),
  counter(
    "candles_retried_total",
    "How often a candle was sent again; none is lost.",
    ({ candles }) => candles.retried,
  ),
  counter(
    "live_skipped_total",
    "Updates of open candles that were not sent, for lack of a connection or a stream; the next one replaces them.",
    ({ live }) => live.skipped,
  ),
];
