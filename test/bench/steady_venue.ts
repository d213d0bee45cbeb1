import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { BinanceServer } from "../../src/simulator/binance_server.ts";

/**
 * A process of its own that is the venue of a benchmark: trades of many symbols at a steady rate, each a frame of its
 * own, stamped with the time at which it is sent.
 *
 * usage: steady_venue.ts SYMBOLS TRADES_PER_SECOND; says where it listens, sends while standard input is open, and
 * then says how many trades it sent. A line of standard input is another rate. Ten times a second it says how many
 * trades there were by then: trade n, from 0, is of symbol n modulo their number.
 */

const STEP_MS = 5;
const TELL_STEPS = 20;
const PRICES = 1_000;

const symbols = (process.argv[2] ?? "").split(",");
let tradesPerSecond = Number(process.argv[3]);
const server = await BinanceServer.start();
const markets = symbols.map((symbol, index) => ({
  symbol,
  stream: `${symbol.toLowerCase()}@trade`,
  nextId: 1_000_000,
  basePrice: 10_000 + 1_000 * index,
}));
let ended = false;
createInterface({ input: process.stdin })
  .on("line", (line) => setRate(Number(line)))
  .on("close", () => {
    ended = true;
  });
process.stdout.write(`${JSON.stringify({ url: server.url })}\n`);
while (server.subscriptions.length < symbols.length) await delay(STEP_MS);

let sent = 0;
let rateSinceMs = performance.now();
let sentBefore = 0;

function setRate(rate: number): void {
  tradesPerSecond = rate;
  rateSinceMs = performance.now();
  sentBefore = sent;
}

for (let step = 0; !ended; step++) {
  const nowMs = Date.now();
  const due = sentBefore + Math.floor(((performance.now() - rateSinceMs) * tradesPerSecond) / 1_000);
  for (; sent < due; sent++) {
    const market = markets[sent % markets.length]!;
    const id = market.nextId++;
    server.publish(
      market.stream,
      `{"e":"trade","E":${nowMs},"s":"${market.symbol}","t":${id},"p":"${market.basePrice + (id % PRICES)}.25000000",` +
        `"q":"0.${1_000 + (id % PRICES)}0000","T":${nowMs},"m":${id % 2 === 0},"M":true}`,
    );
  }
  if (step % TELL_STEPS === 0) process.stdout.write(`${JSON.stringify({ nowMs, trades: sent })}\n`);
  await delay(STEP_MS);
}
await server.drained(AbortSignal.timeout(60_000));
process.stdout.write(`${JSON.stringify({ sent })}\n`);
await server.stop();
