import { existsSync, readdirSync, readFileSync } from "node:fs";
import { delimiter } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Bus, type BusOptions } from "../../src/bus/connection.ts";
import { Streams } from "../../src/bus/streams.ts";
import { createLog } from "../../src/observe/log.ts";
import { findServer } from "../../src/servers/binaries.ts";
import { type NatsServer, startNatsServer } from "../../src/servers/nats_server.ts";

const POLL_MS = 10;
/** State of a thread that a signal has stopped, in `/proc`. */
const STOPPED = /\) T /;
const BUILT_SERVER = new URL("../../.tools/go/bin/nats-server", import.meta.url).pathname;

/** The servers to test against: those of `NATS_SERVERS`, else the installed one and a newer one if `make` built it. */
export function natsBinaries(): readonly string[] {
  const named = (process.env.NATS_SERVERS ?? "").split(delimiter).filter((path) => path !== "");
  if (named.length > 0) return named;
  const found: string[] = existsSync(BUILT_SERVER) ? [BUILT_SERVER] : [];
  try {
    return [findServer("nats-server"), ...found];
  } catch {
    return found;
  }
}

export interface BusTest {
  readonly server: NatsServer;
  readonly bus: Bus;
  readonly streams: Streams;
  /** Another connection to the server, closed with the test. */
  connect(options?: Partial<BusOptions>): Promise<Bus>;
  /** Aborted at the end of the test, or after 60 s. */
  readonly signal: AbortSignal;
}

export interface BusTestOptions {
  readonly extraConfig?: string;
}

/** Declares one test per available server, each with a server and a connection of its own. */
export function busTest(
  name: string,
  body: (t: BusTest) => Promise<void>,
  options: BusTestOptions = {},
): void {
  const binaries = natsBinaries();
  if (binaries.length === 0) test(name, { skip: "there is no nats-server on PATH" }, () => undefined);
  for (const [index, binary] of binaries.entries()) {
    const suffix = binaries.length > 1 ? ` (server ${index + 1} of ${binaries.length})` : "";
    test(`${name}${suffix}`, { timeout: 90_000 }, (context) => run(context, binary, body, options));
  }
}

async function run(
  context: TestContext,
  binary: string,
  body: (t: BusTest) => Promise<void>,
  options: BusTestOptions,
): Promise<void> {
  const server = await startNatsServer({ binary, ...options });
  context.after(() => server.stop());
  const end = new AbortController();
  const { signal } = end;
  // Not AbortSignal.any with a timeout: on Node 20 its result may be collected before it fires.
  const limit = setTimeout(() => end.abort(), 60_000);
  const connect = async (more: Partial<BusOptions> = {}) => {
    const bus = await Bus.open({
      servers: [server.url],
      name: "test",
      log: createLog("silent"),
      signal,
      ...more,
    });
    context.after(() => bus.close());
    return bus;
  };
  const bus = await connect();
  context.diagnostic(`nats-server ${bus.connection.info?.version}`);
  try {
    await body({ server, bus, streams: createStreams(bus), connect, signal });
  } finally {
    clearTimeout(limit);
    end.abort();
  }
}

/** Streams that are small enough for any machine. */
export function createStreams(bus: Bus, maxBytes = 16 * 1024 * 1024): Streams {
  return new Streams(bus, {
    ticks: { maxAgeMs: 60_000, maxBytes },
    candles: { maxAgeMs: 3_600_000, maxBytes },
  });
}

/** Waits until a condition holds; fails after the deadline. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 20_000,
): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`Waited ${deadlineMs} ms in vain: ${what}`);
    await delay(POLL_MS);
  }
}

/** A message that carries its publisher's life and number. */
export function encodeNumbered(epoch: number, seq: number): Uint8Array {
  return Buffer.from(`${epoch} ${seq}`);
}

/** What {@link encodeNumbered} made. */
export function decodeNumbered(data: Uint8Array): { readonly epoch: number; readonly seq: number } {
  const [epoch, seq] = Buffer.from(data).toString().split(" ").map(Number);
  return { epoch: epoch!, seq: seq! };
}

/** Stops a server as a debugger would, and waits until each of its threads stands still: a signal takes its time. */
export async function freeze(server: NatsServer): Promise<void> {
  server.kill("SIGSTOP");
  const tasks = `/proc/${server.pid}/task`;
  const stands = (task: string) => STOPPED.test(readFileSync(`${tasks}/${task}/stat`, "latin1"));
  await eventually("the server stands still", () => readdirSync(tasks).every(stands));
}
