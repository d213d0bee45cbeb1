import { ErrorCode, NatsError, RequestStrategy } from "nats";
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

/** What an actor says about itself. */
export interface ServiceOverview {
  readonly name: string;
  readonly id: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly status: unknown;
}

const SERVICE_WAIT_MS = 500;

/** All streams with their consumers. */
export async function overviewStreams(bus: Bus): Promise<StreamOverview[]> {
  const streams: StreamOverview[] = [];
  for await (const { config, state } of bus.streams.streams.list()) {
    const consumers: ConsumerOverview[] = [];
    for await (const info of bus.streams.consumers.list(config.name)) {
      const filter = info.config.filter_subject ?? ">";
      consumers.push({ name: info.name, filter, pending: info.num_pending });
    }
    streams.push({
      name: config.name,
      messages: state.messages,
      bytes: state.bytes,
      lastSeq: state.last_seq,
      oldestMs: state.messages === 0 ? undefined : Date.now() - Date.parse(state.first_ts),
      consumers,
    });
  }
  return streams;
}

/** All actors that answer, with their accounts. */
export async function overviewServices(bus: Bus): Promise<ServiceOverview[]> {
  const client = bus.connection.services.client({
    strategy: RequestStrategy.Timer,
    maxWait: SERVICE_WAIT_MS,
  });
  const services: ServiceOverview[] = [];
  try {
    for await (const { name, id, metadata } of await client.ping()) {
      const subject = `tickline.status.${name}.${id}`;
      const answer = await bus.connection.request(subject).catch(() => undefined);
      services.push({ name, id, metadata: metadata ?? {}, status: answer?.json() });
    }
  } catch (error) {
    if (!isNobodyThere(error)) throw error;
  }
  return services;
}

/** Whether a request found nobody to answer it. */
function isNobodyThere(error: unknown): boolean {
  return error instanceof NatsError && error.code === ErrorCode.NoResponders;
}
