import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { createGzip, type Gzip } from "node:zlib";
import { Backoff } from "../actor/backoff.ts";
import { type Config, ConfigError } from "../config.ts";
import { createBinanceExchange } from "../exchange/binance.ts";
import { FeedSocket } from "../feed/feed_socket.ts";
import type { Market } from "../market/market.ts";
import { venueUrls } from "./ingest_role.ts";
import { startOwnMarket } from "./own_market.ts";
import type { Setting } from "./setting.ts";

const PING_MS = 15_000;
const CONNECT_TIMEOUT_MS = 10_000;
const NS_PER_MS = 1_000_000n;

/**
 * `make record`: every frame of the venues of `MARKETS`, with its receive time, into `FILE` (gzip-compressed JSON
 * lines that `make replay` reads), until the signal is aborted.
 */
export async function runRecord({ config, log, signal }: Setting): Promise<void> {
  const { file } = config;
  if (file === undefined) throw new ConfigError(["FILE: is not set; allowed: the path of a new file"]);
  const market = await startOwnMarket(config);
  const urls = venueUrls(config, market);
  const out = createGzip();
  const written = pipeline(out, createWriteStream(file, { flags: "wx" }));
  written.catch(() => undefined);
  let frames = 0;
  const connections = splitByConnection(config).map(async ({ venue, markets }, number) => {
    const backoff = new Backoff();
    while (!signal.aborted) {
      const line = (kind: string, data: string) => writeLine(out, { t: kind, conn: number, data });
      await recordConnection({ venue, url: urls[venue]!, markets, signal }, (kind, data) => {
        if (kind === "recv") frames++;
        line(kind, data);
      });
      if (signal.aborted) break;
      log.warn({ venue }, "recorded connection ended, connecting anew");
      await delay(backoff.nextMs(), undefined, { signal }).catch(() => undefined);
    }
  });
  try {
    await Promise.race([Promise.all(connections), written]);
  } finally {
    out.end();
    await market?.stop();
  }
  await written;
  process.stdout.write(`recorded ${frames} frames into ${file}\n`);
}

interface Connection {
  readonly venue: string;
  readonly markets: readonly Market[];
}

function splitByConnection({ markets }: Config): Connection[] {
  const connections: Connection[] = [];
  for (const venue of new Set(markets.map((market) => market.venue))) {
    const own = markets.filter((market) => market.venue === venue);
    const { streamsPerConnection } = createBinanceExchange({ venue }).limits;
    for (let first = 0; first < own.length; first += streamsPerConnection) {
      connections.push({ venue, markets: own.slice(first, first + streamsPerConnection) });
    }
  }
  return connections;
}

async function recordConnection(
  { venue, url, markets, signal }: Connection & { url: string; signal: AbortSignal },
  note: (kind: "connect" | "send" | "recv" | "close", data: string) => void,
): Promise<void> {
  const exchange = createBinanceExchange({ venue });
  const target = exchange.connectUrl(url);
  const socket = new FeedSocket(
    { url: target, pingMs: PING_MS, connectTimeoutMs: CONNECT_TIMEOUT_MS },
    {
      opened: () => {
        note("connect", target);
        void subscribe();
      },
      frame: (frame) => note("recv", frame.toString()),
    },
  );
  const subscribe = async () => {
    const { streamsPerRequest, requestIntervalMs } = exchange.limits;
    for (let first = 0; first < markets.length && !signal.aborted; first += streamsPerRequest) {
      const request = exchange.subscribeRequest(markets.slice(first, first + streamsPerRequest), first + 1);
      note("send", request);
      socket.send(request);
      await delay(requestIntervalMs, undefined, { signal }).catch(() => undefined);
    }
  };
  const stop = () => socket.close("stopped");
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  const { detail } = await socket.ended;
  signal.removeEventListener("abort", stop);
  note("close", detail);
}

function writeLine(out: Gzip, line: { t: string; conn: number; data: string }): void {
  const ts = String(
    BigInt(Math.round((performance.timeOrigin + performance.now()) * 1_000)) * (NS_PER_MS / 1_000n),
  );
  out.write(`${JSON.stringify({ t: line.t, ts, conn: line.conn, data: line.data })}\n`);
}
