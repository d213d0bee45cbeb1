import { spawnSync } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startInfluxd } from "../../src/servers/influxd.ts";
import { startNatsServer } from "../../src/servers/nats_server.ts";
import { freePort } from "../../src/servers/port.ts";
import type { PrivateServer } from "../../src/servers/private_server.ts";
import { createInfluxClient } from "../../src/store/provision.ts";
import { BenchProcess, TICKLINE, TYPESCRIPT } from "./pipeline_processes.ts";
import { rssMiB } from "./process_usage.ts";

const MARKETS = 50;
const VENUE = fileURLToPath(new URL("steady_venue.ts", import.meta.url));
const STORED_DEADLINE_MS = 60_000;
const STORED_POLL_MS = 500;

export interface BenchStageOptions {
  readonly tradesPerSecond: number;
  /** More settings of ingest and workers. */
  readonly env?: Readonly<Record<string, string>>;
  /** The only core on which both servers, ingest and workers may run, and that of venue and onlooker. @default any */
  readonly cores?: { readonly pipeline: number; readonly venue: number };
}

/** The whole pipeline, each part a process of its own: a venue, both servers, ingest and workers. */
export class BenchStage {
  /** Names of the markets; the venue trades them in turn. */
  readonly markets = Array.from({ length: MARKETS }, (_, index) => `C${index}-USDT`);
  readonly nats: PrivateServer;
  readonly influxd: PrivateServer;
  readonly venue: BenchProcess;
  readonly ingest: BenchProcess;
  workers: BenchProcess;
  /** Where `/metrics` is, by process. */
  readonly ports: { readonly ingest: number; readonly workers: number };
  readonly #env: Readonly<Record<string, string>>;

  private constructor(
    parts: Pick<BenchStage, "nats" | "influxd" | "venue" | "ports">,
    settings: Readonly<Record<string, string>>,
  ) {
    this.nats = parts.nats;
    this.influxd = parts.influxd;
    this.venue = parts.venue;
    this.ports = parts.ports;
    this.#env = {
      NATS_URL: parts.nats.url,
      INFLUX_URL: parts.influxd.url,
      MARKETS: this.markets.map((name) => `binance:${name}`).join(","),
      // The venue goes first at the end, which ingest has to say.
      LOG_LEVEL: "error",
      ...settings,
    };
    this.workers = this.#start("workers");
    this.ingest = this.#start("ingest");
  }

  #start(role: "ingest" | "workers"): BenchProcess {
    return new BenchProcess([...TICKLINE, `run-${role}`], {
      ...this.#env,
      METRICS_PORT: String(this.ports[role]),
    });
  }

  /** Of all but the venue. */
  get pids(): Readonly<Record<string, number>> {
    return {
      ingest: this.ingest.pid,
      workers: this.workers.pid,
      "nats-server": this.nats.pid!,
      influxd: this.influxd.pid!,
    };
  }

  /** Starts all of it, and waits until ticks flow. */
  static async start({ tradesPerSecond, env, cores }: BenchStageOptions): Promise<BenchStage> {
    const nats = await startNatsServer();
    const influxd = await startInfluxd();
    const symbols = Array.from({ length: MARKETS }, (_, index) => `C${index}USDT`);
    const venue = new BenchProcess([...TYPESCRIPT, VENUE, symbols.join(","), String(tradesPerSecond)]);
    const [, url] = await venue.line(/"url":"([^"]+)"/);
    const ports = { ingest: await freePort(), workers: await freePort() };
    const stage = new BenchStage({ nats, influxd, venue, ports }, { ...env, BINANCE_WS_URL: url! });
    if (cores !== undefined) {
      for (const pid of Object.values(stage.pids)) pin(pid, cores.pipeline);
      for (const pid of [venue.pid, process.pid]) pin(pid, cores.venue);
    }
    await stage.workers.line(/ticks\/s [1-9]/);
    return stage;
  }

  /** Kills the workers, and starts others once they are dead. */
  async replaceWorkers(): Promise<void> {
    await this.workers.stop("SIGKILL");
    this.workers = this.#start("workers");
  }

  /** Memory of each process now, MiB. */
  rssMiB(): Record<string, number> {
    return Object.fromEntries(Object.entries(this.pids).map(([name, pid]) => [name, rssMiB(pid)]));
  }

  /** Has the venue send no more; how many trades it sent in all. */
  async endTrading(): Promise<number> {
    this.venue.endInput();
    const [, sent] = await this.venue.line(/"sent":(\d+)/);
    return Number(sent);
  }

  /** Waits until the stored 1 s candles have all trades; how many are missing after a while. */
  async untilStored(sent: number): Promise<number> {
    const client = createInfluxClient({ url: this.influxd.url, database: "market" });
    const deadlineMs = performance.now() + STORED_DEADLINE_MS;
    let stored = 0;
    while (stored < sent && performance.now() < deadlineMs) {
      await delay(STORED_POLL_MS);
      const rows = await client.query<{ sum: number }>(
        `SELECT sum("trades") FROM candles WHERE "interval" = '1s'`,
      );
      stored = rows[0]?.sum ?? 0;
    }
    return sent - stored;
  }

  /** Ends everything in the order in which trades flow. */
  async stop(): Promise<void> {
    await Promise.all([this.ingest.stop(), this.venue.stop()]);
    await this.workers.stop();
    await this.nats.stop();
    await this.influxd.stop();
  }
}

/** Keeps a process, with all its threads, on one core. */
function pin(pid: number, core: number): void {
  const { status, stderr } = spawnSync("taskset", ["-a", "-p", "-c", String(core), String(pid)]);
  if (status !== 0) throw new Error(`Cannot pin process ${pid} to core ${core}: ${stderr}`);
}
