import type { ReferenceCandle } from "../kline/reference.ts";
import { type ExpectedCandles, fieldsOf, storedCandles } from "../pipeline/expected_candles.ts";
import type { Store, StoredCandle } from "../pipeline/harness.ts";

/** Trades so near to a fault may be lost by it: frames and acknowledgements were on their way. */
const SLACK_MS = 2_000;

/** A time in which trades may have been lost, ms. */
export interface LossyTime {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What faults did to what is stored. */
export interface Harm {
  readonly losses: readonly LossyTime[];
  /** Candles that began before this were deleted wherever they were kept, ms. */
  readonly erasedToMs: number;
}

/** What a candle can be found to be, with what the sheet calls it. */
export const FINDINGS = {
  equal: "equal in every field",
  lost: "marked: trades of it are lost",
  beside: "marked: trades right beside it are lost",
  excused: "absent, near a fault",
  erased: "erased in the stream, then in the database",
  unfounded: "marked, and nothing is lost",
  unexplained: "marked: trades are lost without a fault",
  absent: "absent without a fault",
  wrong: "wrong and not marked",
} as const;

export type Finding = keyof typeof FINDINGS;

/** Findings that must not be. */
export const FAILURES: readonly Finding[] = ["unfounded", "unexplained", "absent", "wrong"];

/** What became of the candles that there should be, and all that is not as it should be. */
export interface Balance {
  readonly counts: Readonly<Record<Finding, number>>;
  /** A line for each failure, and each absent candle. */
  readonly complaints: readonly string[];
}

/** Holds what is stored against all trades that there were. */
export async function balance(
  store: Store,
  expected: ExpectedCandles,
  { losses, erasedToMs }: Harm,
): Promise<Balance> {
  const stored = await storedCandles(store);
  const counts = Object.fromEntries(Object.keys(FINDINGS).map((name) => [name, 0])) as Record<
    Finding,
    number
  >;
  const complaints: string[] = [];
  for (const series of seriesOf(expected)) {
    const pairs = series.map(([key, reference]) => ({ key, reference, candle: stored.get(key) }));
    for (const [index, { key, reference, candle }] of pairs.entries()) {
      const finding =
        candle === undefined && reference.openMs < erasedToMs
          ? "erased"
          : judge(pairs, index, isNear(losses, reference));
      counts[finding]++;
      if (!FAILURES.includes(finding) && finding !== "excused") continue;
      const time = new Date(reference.openMs).toISOString();
      complaints.push(`${finding} ${key} ${time}: ${differences(candle, reference)}`);
    }
  }
  return { counts, complaints };
}

/** A candle that there should be, and the one that is. */
interface Pair {
  readonly reference: ReferenceCandle;
  readonly candle: StoredCandle | undefined;
}

function judge(series: readonly Pair[], index: number, isNearLoss: boolean): Finding {
  const { candle, reference } = series[index]!;
  if (candle === undefined) return isNearLoss ? "excused" : "absent";
  if (differences(candle, reference) === "") return "equal";
  if (candle.complete || !isPartOf(candle, reference)) return "wrong";
  const isPartial = candle.trades < reference.trades;
  if (!isPartial && !isBesideLoss(series, index)) return "unfounded";
  if (!isNearLoss) return "unexplained";
  return isPartial ? "lost" : "beside";
}

/** Whether the trade before the first one of a candle, or that after its last, is in no candle. */
function isBesideLoss(series: readonly Pair[], index: number): boolean {
  const hasTrades = ({ reference }: Pair) => reference.trades > 0;
  const before = series.slice(0, index).findLast(hasTrades);
  const after = series.slice(index + 1).find(hasTrades);
  return (
    (before !== undefined && before.candle?.last_id !== before.reference.lastId) ||
    (after !== undefined && after.candle?.first_id !== after.reference.firstId)
  );
}

/** The candles of each market and interval, in the order of time. */
function seriesOf(expected: ExpectedCandles): (readonly [string, ReferenceCandle])[][] {
  const series = new Map<string, (readonly [string, ReferenceCandle])[]>();
  for (const entry of expected) {
    const name = `${entry[1].market} ${entry[1].interval}`;
    const own = series.get(name) ?? [];
    own.push(entry);
    series.set(name, own);
  }
  return [...series.values()];
}

function isNear(losses: readonly LossyTime[], { openMs, endMs }: ReferenceCandle): boolean {
  return losses.some(({ fromMs, toMs }) => openMs <= toMs + SLACK_MS && endMs >= fromMs - SLACK_MS);
}

/** Whether a candle can be of some of the trades of another, and does not miss more than the rest. */
function isPartOf(candle: StoredCandle, reference: ReferenceCandle): boolean {
  if (candle.trades + candle.missing > reference.trades + reference.missing) return false;
  if (candle.trades === 0) return true;
  const whole = fieldsOf(reference);
  return (
    candle.high <= whole.high &&
    candle.low >= whole.low &&
    candle.volume <= whole.volume &&
    candle.buy_volume <= whole.buy_volume &&
    Number(candle.first_id) >= Number(whole.first_id) &&
    Number(candle.last_id) <= Number(whole.last_id) &&
    (candle.trades < reference.trades || candle.volume === whole.volume)
  );
}

/** Fields that differ, as `trades 3 not 4`. */
function differences(candle: StoredCandle | undefined, reference: ReferenceCandle): string {
  if (candle === undefined) return `${reference.trades} trades`;
  return Object.entries(fieldsOf(reference))
    .map(([name, value]) => [name, candle[name as keyof StoredCandle], value] as const)
    .filter(([, is, should]) => is !== should)
    .map(([name, is, should]) => `${name} ${is} not ${should}`)
    .join(", ");
}
