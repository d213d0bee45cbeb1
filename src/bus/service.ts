import type { Bus } from "./connection.ts";

export interface ServiceOptions {
  /** `tickline-kline` and so on: one name for all actors of a kind. */
  readonly name: string;
  readonly description: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** What the actor has to say about itself; asked for by `nats micro` and `make inspect`. */
  readonly status: () => unknown;
}

/** Version that `nats micro ls` shows; that of the message contracts. */
const SERVICE_VERSION = "1.0.0";

/**
 * Makes an actor known to `nats micro ls`, with an endpoint `status` that answers in JSON.
 *
 * @returns what takes it off the list
 */
export async function registerService(bus: Bus, options: ServiceOptions): Promise<() => Promise<void>> {
  const service = await bus.connection.services.add({
    name: options.name,
    version: SERVICE_VERSION,
    description: options.description,
    metadata: { ...options.metadata },
  });
  service.addEndpoint("status", {
    subject: `tickline.status.${options.name}.${service.info().id}`,
    handler: (error, message) => {
      if (error === null) message.respond(JSON.stringify(options.status()));
    },
  });
  return async () => {
    if (!bus.connection.isClosed()) await service.stop();
  };
}
