import { setTimeout as delay } from "node:timers/promises";
import { candleSubject } from "../../src/bus/subject.ts";
import type { Random } from "../../src/simulator/random.ts";
import { encodeCandle } from "../../src/wire/candle_codec.ts";
import { DISK_FULL, UNAVAILABLE, type WriteFault } from "../store/faulty_influxd.ts";
import { candle } from "../store/stored_values.ts";
import { AT_ONCE, type FaultKind, FREEZE_MS, freeze, killServer, OUTAGE_MS } from "./fault_kind.ts";
import type { Stage } from "./stage.ts";

const SPELL_MS = [1_000, 8_000] as const;
const KILL_EVERY_MS = 300;
const SHARE_OF_CUTS = 0.7;

const COMMON = { promise: "6: nothing is lost", victim: "influxd", loses: false } as const;

/** What happens to InfluxDB. */
export const DATABASE_FAULTS: readonly FaultKind[] = [
  {
    ...COMMON,
    name: "influxd killed",
    lastsMs: OUTAGE_MS,
    inject: ({ influxd }, forMs) => killServer(influxd, forMs),
  },
  {
    ...COMMON,
    name: "influxd killed often",
    lastsMs: SPELL_MS,
    async inject({ influxd }, forMs, random) {
      const endMs = performance.now() + forMs;
      while (performance.now() < endMs) await killServer(influxd, random.integer(0, KILL_EVERY_MS));
    },
  },
  {
    ...COMMON,
    name: "influxd frozen",
    lastsMs: FREEZE_MS,
    inject: ({ influxd }, forMs) => freeze({ send: (signal) => influxd.kill(signal) }, forMs),
  },
  writesFail("influxd answers 503", () => UNAVAILABLE),
  writesFail("influxd's disk full", () => DISK_FULL),
  writesFail("influxd cuts off", (random) => {
    if (random.uniform() > SHARE_OF_CUTS) return undefined;
    return random.uniform() < 0.5 ? "cut_before" : "cut_after";
  }),
  // It ends by the timeout of the requests, 15 s.
  writesFail("influxd hangs", (random) => (random.uniform() < 0.5 ? "hang" : "hang_in_answer")),
  writesFail("influxd is slow", () => "trickle"),
  {
    ...COMMON,
    // Ticks that are older than their stream keeps would be lost with theirs.
    name: "candles dropped",
    erases: "database",
    promise: "6: as far as the stream holds, all is stored again",
    lastsMs: AT_ONCE,
    async inject({ store }) {
      // Where influxd is away there is nothing to drop.
      await store.query("DROP RETENTION POLICY candles ON market").catch(() => undefined);
    },
  },
  {
    ...COMMON,
    name: "poison",
    promise: "6: costs no other candle",
    lastsMs: AT_ONCE,
    inject: publishPoison,
  },
];

function writesFail(name: string, fault: (random: Random) => WriteFault | undefined): FaultKind {
  return {
    ...COMMON,
    name,
    lastsMs: SPELL_MS,
    async inject({ influxProxy }, forMs, random) {
      influxProxy.fault = () => fault(random);
      await delay(forMs);
      influxProxy.fault = () => undefined;
    },
  };
}

/** A candle of a time that InfluxDB has no number for. */
async function publishPoison({ broker }: Stage): Promise<void> {
  const connection = await broker.connect();
  const poison = { ...candle, market: "POISON-USDT", openMs: Number.MAX_SAFE_INTEGER };
  connection.publish(candleSubject(poison), encodeCandle(poison));
  await connection.flush();
  await connection.close();
}
