import { checkStored, type ExpectedCandles } from "../pipeline/expected_candles.ts";
import { type Store, until } from "../pipeline/harness.ts";

const DEADLINE_MS = 60_000;

/**
 * Waits until exactly the expected candles are stored: on a loaded machine trades may pause for so long that a candle
 * is closed and amended after it.
 */
export async function untilStored(store: Store, expected: ExpectedCandles): Promise<void> {
  const check = () => checkStored(store, expected, { pauses: true });
  const isStored = () =>
    check().then(
      () => true,
      () => false,
    );
  await until("all candles are stored", isStored, DEADLINE_MS).catch(check);
}
