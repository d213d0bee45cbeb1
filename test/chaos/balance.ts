import type { ReferenceCandle } from "../kline/reference.ts";
import { type ExpectedCandles, fieldsOf, storedCandles } from "../pipeline/expected_candles.ts";
import type { Store, StoredCandle } from "../pipeline/harness.ts";

/** Candles so near to a fault may show it: frames, acknowledgements and closings were on their way. */
const SLACK_MS = 3_000;

/** A time in which trades may have been lost, ms. */
export interface LossyTime {
  readonly fromMs: number;
  readonly toMs: number;
}

export type Finding = "equal" | "marked" | "unfounded" | "wrong" | "absent" | "excused";

/** What became of the candles that there should be, and all that is not as it should be. */
export interface Balance {
  /**
   * `equal` in every field; `marked` as incomplete, near a loss; `unfounded`: marked where nothing can have been lost;
   * `wrong`: it claims what is not so; `absent` from the store; `excused`: absent near a loss.
   */
  readonly counts: Readonly<Record<Finding, number>>;
  /** A line for each candle that is unfounded, wrong, absent or excused. */
  readonly complaints: readonly string[];
}

/** Holds what is stored against all trades that there were. */
export async function balance(
  store: Store,
  expected: ExpectedCandles,
  losses: readonly LossyTime[],
): Promise<Balance> {
  const stored = await storedCandles(store);
  const counts = { equal: 0, marked: 0, unfounded: 0, wrong: 0, absent: 0, excused: 0 };
  const complaints: string[] = [];
  for (const [key, reference] of expected) {
    const { openMs, endMs } = reference;
    const isNearLoss = losses.some(
      ({ fromMs, toMs }) => openMs <= toMs + SLACK_MS && endMs >= fromMs - SLACK_MS,
    );
    const candle = stored.get(key);
    const finding = judge(candle, reference, isNearLoss);
    counts[finding]++;
    if (finding === "equal" || finding === "marked") continue;
    const time = new Date(openMs).toISOString();
    complaints.push(`${finding} ${key} ${time}: ${differences(candle, reference)}`);
  }
  return { counts, complaints };
}

function judge(candle: StoredCandle | undefined, reference: ReferenceCandle, isNearLoss: boolean): Finding {
  if (candle === undefined) return isNearLoss ? "excused" : "absent";
  if (differences(candle, reference) === "") return "equal";
  if (candle.complete || !isPartOf(candle, reference)) return "wrong";
  return isNearLoss ? "marked" : "unfounded";
}

/** Whether a candle can be of some of the trades of another, and does not miss more than the rest. */
function isPartOf(candle: StoredCandle, reference: ReferenceCandle): boolean {
  if (candle.trades + candle.missing > reference.trades) return false;
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
