import { setTimeout as delay } from "node:timers/promises";
import { BinanceServer } from "../../src/simulator/binance_server.ts";

/**
 * A process of its own that is the venue of a benchmark: trades of many symbols at a steady rate, each a frame of its
 * own, stamped with the time at which it is sent.
 *
 * usage: steady_venue.ts SYMBOLS TRADES_PER_SECOND; says where it listens, sends while standard input is open, and
 * then says how many trades it sent.
 */

const STEP_MS = 5;
const PRICES = 1_000;

const symbols = (process.argv[2] ?? "").split(",");
const tradesPerSecond = Number(process.argv[3]);
const server = await BinanceServer.start();
const markets = symbols.map((symbol, index) => ({
  symbol,
  stream: `${symbol.toLowerCase()}@trade`,
  nextId: 1_000_000,
  basePrice: 10_000 + 1_000 * index,
}));
let ended = false;
process.stdin.on("end", () => {
  ended = true;
});
process.stdin.resume();
process.stdout.write(`${JSON.stringify({ url: server.url })}\n`);
while (server.subscriptions.length < symbols.length) await delay(STEP_MS);

const startMs = performance.now();
let sent = 0;
while (!ended) {
  const nowMs = Date.now();
  const due = Math.floor(((performance.now() - startMs) * tradesPerSecond) / 1_000);
  for (; sent < due; sent++) {
    const market = markets[sent % markets.length]!;
    const id = market.nextId++;
    server.publish(
      market.stream,
      `{"e":"trade","E":${nowMs},"s":"${market.symbol}","t":${id},"p":"${market.basePrice + (id % PRICES)}.25000000",` +
        `"q":"0.${1_000 + (id % PRICES)}0000","T":${nowMs},"m":${id % 2 === 0},"M":true}`,
    );
  }
  await delay(STEP_MS);
}
await server.drained(AbortSignal.timeout(60_000));
process.stdout.write(`${JSON.stringify({ sent })}\n`);
await server.stop();
