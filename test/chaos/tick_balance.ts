import type { ReferenceTrade } from "../kline/reference.ts";
import type { Store } from "../pipeline/harness.ts";
import type { LossyTime } from "./balance.ts";

/** Trades so near to a fault may be lost by it. */
const SLACK_MS = 2_000;

/** What became of the trades that there were in the stored history. */
export interface TickBalance {
  readonly sent: number;
  readonly stored: number;
  /** Not stored, of a time in which a fault could lose trades. */
  readonly lost: number;
  /** Not stored, of any other time. */
  readonly unexplained: number;
  /** Stored otherwise than they were, or never made. */
  readonly wrong: number;
  /** A line for each run of trades of a market that are lost without a fault. */
  readonly complaints: readonly string[];
}

/** Holds the stored history against all trades that there were. */
export async function tickBalance(
  store: Store,
  trades: readonly ReferenceTrade[],
  losses: readonly LossyTime[],
): Promise<TickBalance> {
  const rest = new Map(trades.map((trade) => [`${trade.market} ${trade.id}`, trade]));
  let wrong = 0;
  for (const market of new Set(trades.map((trade) => trade.market))) {
    for (const row of await store.query(`SELECT * FROM ticks.ticks WHERE "market" = '${market}'`)) {
      const trade = rest.get(`${market} ${row.id}`);
      if (trade === undefined || !isSame(row, trade)) wrong++;
      rest.delete(`${market} ${row.id}`);
    }
  }
  const isNear = ({ timeMs }: ReferenceTrade) =>
    losses.some(({ fromMs, toMs }) => timeMs >= fromMs - SLACK_MS && timeMs <= toMs + SLACK_MS);
  const unexplained = [...rest.values()].filter((trade) => !isNear(trade));
  return {
    sent: trades.length,
    stored: trades.length - rest.size,
    lost: rest.size - unexplained.length,
    unexplained: unexplained.length,
    wrong,
    complaints: runsOf(unexplained),
  };
}

function isSame(row: Record<string, unknown>, { price, quantity, buy, timeMs }: ReferenceTrade): boolean {
  return (
    row.price === Number(price) &&
    row.quantity === Number(quantity) &&
    row.side === (buy ? "buy" : "sell") &&
    (row.time as Date).getTime() === timeMs
  );
}

/** Runs of consecutive trades, a line each. */
function runsOf(trades: readonly ReferenceTrade[]): string[] {
  const sorted = [...trades].sort((a, b) => a.market.localeCompare(b.market) || a.id - b.id);
  const runs: ReferenceTrade[][] = [];
  for (const trade of sorted) {
    const last = runs.at(-1)?.at(-1);
    if (last?.market === trade.market && last.id === trade.id - 1) runs.at(-1)!.push(trade);
    else runs.push([trade]);
  }
  return runs.map((run) => {
    const [from, to] = [run[0]!, run.at(-1)!].map(({ timeMs }) => new Date(timeMs).toISOString());
    return `not stored ${run[0]!.market} ${run.length} trades, ${from} to ${to}`;
  });
}
