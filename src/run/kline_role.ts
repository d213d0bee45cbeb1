import type { Actor } from "../actor/actor.ts";
import { CandlePublisher } from "../bus/candle_publisher.ts";
import type { Bus } from "../bus/connection.ts";
import { LivePublisher } from "../bus/live_publisher.ts";
import { KlineActor } from "../kline/kline.ts";
import { planLevels } from "../kline/level.ts";
import type { Lease } from "../lease/lease.ts";
import { createCalendar } from "../market/calendar.ts";
import { registerAccounts } from "./account_service.ts";
import { klineAccounts } from "./kline_accounts.ts";
import { divideAmongAll, type Supervision } from "./leased.ts";
import { natsHosts, openBus, type Setting } from "./setting.ts";

/** The stream must hold what came after the latest snapshot, with time to spare for a restart. */
const SNAPSHOTS_PER_MAX_AGE = 6;
const MAX_SNAPSHOT_INTERVAL_MS = 5_000;

/** The kline actors of a process. */
export interface KlineRole {
  readonly bus: Bus;
  readonly actors: readonly KlineActor[];
  readonly candles: CandlePublisher;
  readonly live: LivePublisher;
  /** What is to be run: the actors, or one that runs those of which this process has the lease. */
  supervised(supervision: Supervision): readonly Actor[];
  close(): Promise<void>;
}

/** Opens a kline actor for each shard of this process. */
export async function openKline(setting: Setting): Promise<KlineRole> {
  const { config, log } = setting;
  const { bus, streams } = await openBus(setting, "kline");
  const candles = new CandlePublisher(bus, streams);
  const live = new LivePublisher(bus, streams);
  const calendar = createCalendar(config.timeZone);
  const rules = {
    calendar,
    levels: planLevels(config.intervals, calendar),
    closeDelayMs: config.closeDelayMs,
    latenessMs: config.latenessMs,
    fill: config.fill,
  };
  const permissions = { net: natsHosts(config), env: [] };
  const actors = config.ownShards.map(
    (shard) =>
      new KlineActor({
        shard,
        shards: config.shards,
        rules,
        tickMaxLagMs: config.tickMaxLagMs,
        consumerExpiryMs: config.consumerExpiryMs,
        snapshotIntervalMs: Math.min(MAX_SNAPSHOT_INTERVAL_MS, config.tickMaxAgeMs / SNAPSHOTS_PER_MAX_AGE),
        bus,
        streams,
        candles,
        live,
        permissions,
        log,
      }),
  );
  const unregister = await registerAccounts(bus, () => klineAccounts({ actors, candles, live }));
  const pieces = actors.map((actor, index) => {
    const under = (lease: Lease) => actor.under(lease);
    return [`kline.${config.ownShards[index]}`, under] as const;
  });
  return {
    bus,
    actors,
    candles,
    live,
    supervised: config.hasFixedShards
      ? () => actors
      : divideAmongAll(bus, setting, { name: "kline", pieces: new Map(pieces), permissions }),
    async close() {
      candles.close();
      await unregister();
      await bus.close();
    },
  };
}
