import type { Actor } from "../actor/actor.ts";
import { hostOf } from "../actor/host_of.ts";
import type { Bus } from "../bus/connection.ts";
import type { Lease } from "../lease/lease.ts";
import { CandlePersistActor } from "../persist/candle_persist.ts";
import { Restoration } from "../persist/restoration.ts";
import { TickPersistActor } from "../persist/tick_persist.ts";
import { InfluxLane } from "../store/influx_lane.ts";
import { CANDLE_POLICY, type Policy, provision, TICK_POLICY } from "../store/provision.ts";
import { registerAccounts } from "./account_service.ts";
import { divideAmongAll, type Supervision } from "./leased.ts";
import { persistAccounts } from "./persist_accounts.ts";
import { influxTarget, natsHosts, openBus, type Setting } from "./setting.ts";

const CANDLE_FLUSH_MS = 200;
const TICK_FLUSH_MS = 500;
const MAX_WAITING_CANDLES = 20_000;
const MAX_WAITING_TICKS = 50_000;

/** The persist actors of a process. */
export interface PersistRole {
  readonly bus: Bus;
  readonly candleActor: CandlePersistActor;
  readonly tickActors: readonly TickPersistActor[];
  readonly candleLane: InfluxLane;
  readonly tickLane: InfluxLane;
  /** What is to be run: the actors, or one that runs those of which this process has the lease. */
  supervised(supervision: Supervision): readonly Actor[];
  /** Writes what waits, until the signal is aborted. */
  flush(signal: AbortSignal): Promise<void>;
  /** Stops writing; returns how many lines were not stored. */
  close(): Promise<number>;
}

/** Provisions InfluxDB and opens the persist actors for the shards of this process. */
export async function openPersist(setting: Setting): Promise<PersistRole> {
  const { config, log, signal } = setting;
  const target = influxTarget(config);
  const retention = { candlesMs: config.candleRetentionMs, ticksMs: config.tickRetentionMs };
  const created: Policy[] = [];
  const onCreate = (policy: Policy) => void created.push(policy);
  if (!(await provision(target, retention, { log, signal, onCreate }))) {
    const { database, username } = target;
    log.info({ database, username }, "this user may not set up InfluxDB, the database is taken as it is");
  }
  const { bus, streams } = await openBus(setting, "persist");
  const restoration = new Restoration({
    bus,
    target,
    retention,
    log,
    onEmpty: (policy) => {
      for (const actor of policy === CANDLE_POLICY ? [candleActor] : tickActors) actor.storeAgain();
    },
  });
  for (const policy of created) restoration.announce(policy);
  const candleLane: InfluxLane = new InfluxLane({
    name: "candles",
    target,
    retentionPolicy: CANDLE_POLICY,
    precision: "ms",
    flushMs: CANDLE_FLUSH_MS,
    inFlight: 1,
    maxLines: MAX_WAITING_CANDLES,
    permit: () => candleActor.permit,
    ...restoration.of(CANDLE_POLICY),
    log,
  });
  const tickLane = new InfluxLane({
    name: "ticks",
    target,
    retentionPolicy: TICK_POLICY,
    precision: "ns",
    flushMs: TICK_FLUSH_MS,
    inFlight: 2,
    maxLines: MAX_WAITING_TICKS,
    ...restoration.of(TICK_POLICY),
    log,
  });
  const common = {
    consumerExpiryMs: config.consumerExpiryMs,
    bus,
    streams,
    permissions: { net: [...natsHosts(config), hostOf(config.influxUrl)], env: [] },
    log,
  };
  const candleActor: CandlePersistActor = new CandlePersistActor({
    ...common,
    ownedShards: new Set(config.ownShards),
    shards: config.shards,
    lane: candleLane,
  });
  const tickShards = config.persistTicks ? config.ownShards : [];
  const tickActors = tickShards.map(
    (shard) => new TickPersistActor({ ...common, shard, tickMaxLagMs: config.tickMaxLagMs, lane: tickLane }),
  );
  const unregister = await registerAccounts(bus, () =>
    persistAccounts({ candleActor, candleLane, tickActors, tickLane }),
  );
  const pieces = new Map<string, (lease: Lease) => Actor>([["candles", (lease) => candleActor.under(lease)]]);
  for (const [index, actor] of tickActors.entries()) pieces.set(`ticks.${tickShards[index]}`, () => actor);
  const { permissions } = common;
  return {
    bus,
    candleActor,
    tickActors,
    supervised: config.hasFixedShards
      ? () => [candleActor, ...tickActors]
      : divideAmongAll(bus, setting, { name: "persist", pieces, permissions }),
    candleLane,
    tickLane,
    async flush(flushSignal) {
      await Promise.all([candleLane.flush(flushSignal), tickLane.flush(flushSignal)]);
    },
    async close() {
      restoration.close();
      const left = (await candleLane.close()) + (await tickLane.close());
      await unregister();
      await bus.close();
      return left;
    },
  };
}
