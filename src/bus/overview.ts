import { RequestStrategy, type StreamInfo } from "nats";
import { isNobodyThere } from "./api_error.ts";
import type { Bus } from "./connection.ts";

/** What a stream holds. */
export interface StreamOverview {
  readonly name: string;
  readonly messages: number;
  readonly bytes: number;
  readonly lastSeq: number;
  /** Age of the oldest message, ms; undefined when the stream is empty. */
  readonly oldestMs: number | undefined;
  readonly consumers: readonly ConsumerOverview[];
}

export interface ConsumerOverview {
  readonly name: string;
  readonly filter: string;
  /** Messages that it has still to read. */
  readonly pending: number;
}

/** An actor, or a process, that can be asked about itself. */
export interface ServiceAddress {
  readonly name: string;
  readonly id: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** What it says; undefined if it did not answer. */
export interface ServiceOverview extends ServiceAddress {
  readonly status: unknown;
}

/** Nobody is waited for longer, ms; who has not spoken up a moment after the others is not there. */
const SERVICE_WAIT_MS = 2_000;

/** All streams with their consumers. */
export async function overviewStreams(bus: Bus): Promise<StreamOverview[]> {
  const streams: StreamInfo[] = [];
  for await (const info of bus.streams.streams.list()) streams.push(info);
  return Promise.all(streams.map((info) => overviewStream(bus, info)));
}

async function overviewStream(bus: Bus, { config, state }: StreamInfo): Promise<StreamOverview> {
  const consumers: ConsumerOverview[] = [];
  for await (const info of bus.streams.consumers.list(config.name)) {
    const filter = info.config.filter_subject ?? ">";
    consumers.push({ name: info.name, filter, pending: info.num_pending });
  }
  return {
    name: config.name,
    messages: state.messages,
    bytes: state.bytes,
    lastSeq: state.last_seq,
    oldestMs: state.messages === 0 ? undefined : Date.now() - Date.parse(state.first_ts),
    consumers,
  };
}

/** All actors and processes that are there. */
export async function findServices(bus: Bus): Promise<ServiceAddress[]> {
  const client = bus.connection.services.client({
    strategy: RequestStrategy.JitterTimer,
    maxWait: SERVICE_WAIT_MS,
  });
  const services: ServiceAddress[] = [];
  try {
    for await (const { name, id, metadata } of await client.ping()) {
      services.push({ name, id, metadata: metadata ?? {} });
    }
  } catch (error) {
    if (!isNobodyThere(error)) throw error;
  }
  return services;
}

/** Asks some of them what they have to say, all at once. */
export function askServices(bus: Bus, services: readonly ServiceAddress[]): Promise<ServiceOverview[]> {
  return Promise.all(services.map((service) => askService(bus, service)));
}

async function askService(bus: Bus, service: ServiceAddress): Promise<ServiceOverview> {
  const subject = `tickline.status.${service.name}.${service.id}`;
  try {
    const answer = await bus.connection.request(subject, undefined, { timeout: SERVICE_WAIT_MS });
    return { ...service, status: answer.json() };
  } catch {
    return { ...service, status: undefined };
  }
}
