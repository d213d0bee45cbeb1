import { aborted } from "../actor/aborted.ts";
import { startInfluxd } from "../servers/influxd.ts";
import { startNatsServer } from "../servers/nats_server.ts";
import { venueUrls } from "./ingest_role.ts";
import { startOwnMarket } from "./own_market.ts";
import { playRoles } from "./play_roles.ts";
import type { Setting } from "./setting.ts";

const NATS_PORT = 4222;
const INFLUX_PORT = 8086;

/** `make run-ingest`: the ingest actors, against NATS as configured, until the signal is aborted. */
export async function runIngest(setting: Setting): Promise<void> {
  const market = await startOwnMarket(setting.config);
  try {
    await playRoles(setting, { ingest: venueUrls(setting.config, market), kline: false, persist: false });
  } finally {
    await market?.stop();
  }
}

/** `make run-workers`: kline and persist actors, against NATS and InfluxDB as configured. */
export async function runWorkers(setting: Setting): Promise<void> {
  const { actors } = setting.config;
  await playRoles(setting, { kline: actors.includes("kline"), persist: actors.includes("persist") });
}

/** `make servers`: the private servers alone. */
export async function runServers({ signal }: Setting): Promise<void> {
  const nats = await startNatsServer({ port: NATS_PORT });
  const influxd = await startInfluxd({ port: INFLUX_PORT }).catch(async (error: unknown) => {
    await nats.stop();
    throw error;
  });
  process.stdout.write(`export NATS_URL=${nats.url} INFLUX_URL=${influxd.url}\n`);
  try {
    await aborted(signal);
  } finally {
    await influxd.stop();
    await nats.stop();
  }
}
