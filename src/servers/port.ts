import { createServer } from "node:net";

/** Somebody else may take a free port before the server that it was picked for does. */
const MAX_ATTEMPTS = 5;

/** The preferred TCP port on loopback if nobody has it, else one that the system picks. */
export async function freePort(preferred = 0): Promise<number> {
  return (await tryPort(preferred)) ?? (await tryPort(0))!;
}

/**
 * Starts something on the preferred port, or on one that the system picks; tries another one if the port was taken
 * in the meantime.
 *
 * @throws what `start` throws if the port was not the reason
 */
export async function startOnFreePort<T>(
  preferred: number | undefined,
  start: (port: number) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort(preferred);
    try {
      return await start(port);
    } catch (error) {
      const portWasTaken = (await tryPort(port)) === undefined;
      if (!portWasTaken || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen({ port, host: "127.0.0.1" }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" ? address?.port : undefined));
    });
  });
}
