import type { z } from "zod";
import { LOG_LEVELS } from "../observe/log.ts";
import { intervals, markets, timeZone } from "./market_fields.ts";
import { decimalNumber, duration, size, wholeNumber } from "./quantities.ts";
import { MAX_SHARDS, shardSelection } from "./shard_field.ts";
import {
  databaseName,
  flag,
  host,
  httpUrl,
  natsServers,
  oneOf,
  secret,
  someOf,
  text,
  venueUrl,
} from "./text_fields.ts";

/** An environment variable: what it takes, what it is when unset, what it means. */
export interface Variable<T> {
  readonly name: string;
  readonly schema: z.ZodType<T, string>;
  /** As it would be written; absent: the setting stays undefined. */
  readonly fallback?: string;
  readonly meaning: string;
}

const DEFAULT_MARKETS = [
  "BTC",
  "ETH",
  "SOL",
  "BNB",
  "XRP",
  "DOGE",
  "ADA",
  "AVAX",
  "LINK",
  "TON",
  "LTC",
  "DOT",
]
  .map((base) => `sim:${base}-USDT`)
  .join(",");

const port = wholeNumber(0, 65_535);
const webSocketUrl = venueUrl(["ws", "wss"]);
const restUrl = venueUrl(["http", "https"]);

/**
 * Every setting with the variable that it is read from, in the order in which help lists them.
 *
 * Retention below an hour is what InfluxDB 1.x refuses, hence the bound.
 */
export const VARIABLES = {
  natsServers: required("NATS_URL", natsServers, "nats://127.0.0.1:4222", "NATS servers, comma-separated"),
  natsUser: optional("NATS_USER", text, "user of NATS"),
  natsPassword: optional("NATS_PASSWORD", secret, "password of that user"),
  natsNkeySeedFile: optional("NATS_NKEY_SEED_FILE", text, "file with the seed of an nkey, instead of a user"),
  natsCredsFile: optional("NATS_CREDS_FILE", text, "credentials file, instead of a user"),
  natsCaFile: optional("NATS_CA_FILE", text, "certificate authority that signed the servers' certificates"),

  influxUrl: required("INFLUX_URL", httpUrl, "http://127.0.0.1:8086", "InfluxDB 1.x"),
  influxDatabase: required("INFLUX_DATABASE", databaseName, "market", "its database, made at start"),
  influxUsername: optional("INFLUX_USERNAME", text, "user of InfluxDB"),
  influxPassword: optional("INFLUX_PASSWORD", secret, "password of that user"),

  markets: required("MARKETS", markets, DEFAULT_MARKETS, "what to follow, venue:BASE-QUOTE,…"),
  intervals: required("INTERVALS", intervals, "1s,1m,5m,15m,1h,4h,1d", "lengths of candles, 1s to 1M"),
  timeZone: required("TIMEZONE", timeZone, "UTC", "IANA zone that day, week and month candles follow"),

  shards: required("SHARDS", wholeNumber(1, MAX_SHARDS), "8", "parts of the markets; alike in all processes"),
  ownShards: required("SHARD", shardSelection, "all", "the ones of this process: 0-3 or 0,2,5"),
  actors: required("ACTORS", someOf(["kline", "persist"]), "kline,persist", "what run-workers starts"),

  tickMaxAgeMs: required(
    "TICK_MAX_AGE",
    duration({ min: "1s", max: "7d" }),
    "60s",
    "how long NATS keeps ticks",
  ),
  tickMaxBytes: required("TICK_MAX_BYTES", size("1MiB", "1TiB"), "256MiB", "how many bytes of them at most"),
  tickMaxLagMs: required(
    "TICK_MAX_LAG",
    duration({ min: "1ms", max: "7d", zero: "off" }),
    "0",
    "older ticks are skipped and counted; 0: none",
  ),
  consumerExpiryMs: required(
    "CONSUMER_EXPIRY",
    duration({ min: "1s", max: "7d" }),
    "180s",
    "an abandoned consumer goes away after this",
  ),
  candleMaxAgeMs: required(
    "CANDLE_MAX_AGE",
    duration({ min: "1m", max: "365d" }),
    "24h",
    "how long NATS keeps closed candles",
  ),
  candleMaxBytes: required(
    "CANDLE_MAX_BYTES",
    size("1MiB", "1TiB"),
    "1GiB",
    "how many bytes of them at most",
  ),

  closeDelayMs: required(
    "CLOSE_DELAY",
    duration({ min: "0", max: "1m" }),
    "500ms",
    "a candle closes this long after its end on the venue's clock",
  ),
  latenessMs: required(
    "LATENESS",
    duration({ min: "0", max: "1d" }),
    "5m",
    "a later trade still amends a closed candle for this long",
  ),
  fill: required("FILL", oneOf(["flat", "none"]), "flat", "candles of quiet intervals: flat or none"),

  persistTicks: required("PERSIST_TICKS", flag, "true", "whether to store ticks too"),
  tickRetentionMs: required(
    "TICK_RETENTION",
    duration({ min: "1h", max: "36500d", zero: "for ever" }),
    "7d",
    "how long InfluxDB keeps ticks; 0: for ever",
  ),
  candleRetentionMs: required(
    "CANDLE_RETENTION",
    duration({ min: "1h", max: "36500d", zero: "for ever" }),
    "0",
    "how long InfluxDB keeps candles; 0: for ever",
  ),

  httpHost: required(
    "HTTP_HOST",
    host,
    "127.0.0.1",
    "address that the gateway, metrics and health listen on",
  ),
  httpPort: required("HTTP_PORT", port, "8080", "port of the gateway; 0: a free one"),
  metricsPort: required("METRICS_PORT", port, "0", "port of /metrics, /livez and /readyz; 0: off"),
  logLevel: required(
    "LOG_LEVEL",
    oneOf(LOG_LEVELS),
    "info",
    "trace, debug, info, warn, error, fatal or silent",
  ),

  binanceWsUrl: optional(
    "BINANCE_WS_URL",
    webSocketUrl,
    "scheme, host and port instead of Binance's streams",
  ),
  binanceRestUrl: optional("BINANCE_REST_URL", restUrl, "scheme, host and port instead of Binance's API"),
  simWsUrl: optional("SIM_WS_URL", webSocketUrl, "a simulated market elsewhere; unset: one in the process"),
  simRestUrl: optional("SIM_REST_URL", restUrl, "that market's API"),
  simTicksPerSecond: required(
    "SIM_TICKS_PER_SECOND",
    decimalNumber(0, 1_000_000),
    "1000",
    "its trades, all markets",
  ),
  simSeed: required("SIM_SEED", wholeNumber(0, 2 ** 32 - 1), "1", "the same seed gives the same trades"),

  durationMs: required(
    "DURATION",
    duration({ min: "1ms", max: "365d", zero: "until stopped" }),
    "0",
    "stop after this; 0: when told to",
  ),
  file: optional("FILE", text, "what record writes and replay reads"),
  speed: required(
    "SPEED",
    decimalNumber(0, 1_000_000),
    "1",
    "replay, times real time; 0: as fast as it goes",
  ),
} as const;

function required<T>(
  name: string,
  schema: z.ZodType<T, string>,
  fallback: string,
  meaning: string,
): Variable<T> & { readonly fallback: string } {
  return { name, schema, fallback, meaning };
}

function optional<T>(name: string, schema: z.ZodType<T, string>, meaning: string): Variable<T | undefined> {
  return { name, schema: schema.optional() as z.ZodType<T | undefined, string>, meaning };
}
