import { LagHistogram } from "../observe/lag_histogram.ts";
import type { Roles } from "./stages.ts";

/** The lags of the last while, and of the whole run. */
export class LagMeter {
  readonly total = new LagHistogram();

  /** The lags since the last call. */
  take({ kline }: Roles): LagHistogram {
    const latest = new LagHistogram();
    for (const { lag } of kline?.actors ?? []) {
      latest.merge(lag);
      lag.reset();
    }
    this.total.merge(latest);
    return latest;
  }

  /** The lags until now; those that {@link take} has not taken yet stay. */
  all({ kline }: Roles): LagHistogram {
    const all = new LagHistogram();
    all.merge(this.total);
    for (const { lag } of kline?.actors ?? []) all.merge(lag);
    return all;
  }
}
