import { ConfigError } from "../config.ts";
import { freePort } from "../servers/port.ts";
import { BinanceServer } from "../simulator/binance_server.ts";
import { readRecordings } from "../simulator/recording.ts";
import { replay } from "../simulator/replay.ts";
import type { Setting } from "./setting.ts";

const PORT = 9443;

/** `make replay`: recordings (`FILE`, comma-separated) through a local stand-in exchange, `SPEED` times real time. */
export async function runReplay({ config, signal }: Setting): Promise<void> {
  const { file, speed } = config;
  if (file === undefined) throw new ConfigError(["FILE: is not set; allowed: paths of recordings, a,b,…"]);
  const server = await BinanceServer.start({ port: await freePort(PORT) });
  try {
    process.stdout.write(`export BINANCE_WS_URL=${server.url}\nwaiting for a subscriber\n`);
    const report = await replay(server, readRecordings(file.split(",")), { speed, signal });
    process.stdout.write(`sent ${report.events} events, ${report.trades} of them trades\n`);
  } finally {
    server.closeAll();
    await server.stop();
  }
}
