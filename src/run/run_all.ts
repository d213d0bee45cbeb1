import { startInfluxd } from "../servers/influxd.ts";
import { startNatsServer } from "../servers/nats_server.ts";
import { openIngest, venueUrls } from "./ingest_role.ts";
import { openKline } from "./kline_role.ts";
import { startOwnMarket } from "./own_market.ts";
import { openPersist } from "./persist_role.ts";
import type { Setting } from "./setting.ts";
import { runRoles } from "./stages.ts";
import { StatusView } from "./status_view.ts";

const NATS_PORT = 4222;
const INFLUX_PORT = 8086;

/** `make run`: everything in one process, with a private nats-server and influxd, until the signal is aborted. */
export async function runAll(setting: Setting): Promise<void> {
  const { log, signal } = setting;
  const stops: (() => Promise<unknown>)[] = [];
  try {
    const nats = await startNatsServer({ port: NATS_PORT });
    stops.push(() => nats.stop());
    const influxd = await startInfluxd({ port: INFLUX_PORT });
    stops.push(() => influxd.stop());
    process.stdout.write(`nats-server ${nats.url}\ninfluxd     ${influxd.url}\n`);
    const own = {
      ...setting,
      config: { ...setting.config, natsServers: [nats.url], influxUrl: influxd.url },
    };
    const market = await startOwnMarket(own.config);
    if (market !== undefined) {
      stops.push(() => market.stop());
      process.stdout.write(`market      ${market.server.url}\n`);
    }
    const urls = venueUrls(own.config, market);
    const persist = await openPersist(own);
    const kline = await openKline(own);
    const ingest = await openIngest(own, urls);
    const roles = { ingest, kline, persist };
    const view = new StatusView(roles);
    try {
      await runRoles(roles, log, signal);
    } finally {
      view.end();
    }
  } catch (error) {
    // Told to stop before everything was up: nothing is wrong.
    if (!signal.aborted) throw error;
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}
