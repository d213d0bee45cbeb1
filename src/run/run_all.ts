import { startInfluxd } from "../servers/influxd.ts";
import { startNatsServer } from "../servers/nats_server.ts";
import { venueUrls } from "./ingest_role.ts";
import { startOwnMarket } from "./own_market.ts";
import { playRoles } from "./play_roles.ts";
import type { Setting } from "./setting.ts";

const NATS_PORT = 4222;
const INFLUX_PORT = 8086;

/** `make run`: everything in one process, with a private nats-server and influxd, until the signal is aborted. */
export async function runAll(setting: Setting): Promise<void> {
  const stops: (() => Promise<unknown>)[] = [];
  try {
    const nats = await startNatsServer({ port: NATS_PORT });
    stops.push(() => nats.stop());
    const influxd = await startInfluxd({ port: INFLUX_PORT });
    stops.push(() => influxd.stop());
    process.stdout.write(`nats-server ${nats.url}\ninfluxd     ${influxd.url}\n`);
    const own = {
      ...setting,
      ownsBroker: true,
      config: { ...setting.config, natsServers: [nats.url], influxUrl: influxd.url },
    };
    const market = await startOwnMarket(own.config);
    if (market !== undefined) {
      stops.push(() => market.stop());
      process.stdout.write(`market      ${market.server.url}\n`);
    }
    await playRoles(own, { ingest: venueUrls(own.config, market), kline: true, persist: true });
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}
