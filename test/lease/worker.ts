import { Bus } from "../../src/bus/connection.ts";
import { WorkerGroup } from "../../src/lease/worker_group.ts";
import { createLog } from "../../src/observe/log.ts";
import { type Held, sayWhileHeld } from "./holder_log.ts";

/**
 * A worker as a process of its own, `worker.ts <nats url> <piece,…>`, until SIGTERM. Prints its id, then each moment at
 * which it held a piece, in lines of JSON.
 */
const [url, pieces] = process.argv.slice(2);
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
const log = createLog("silent");
const bus = await Bus.open({ servers: [url!], name: "worker", log, signal: stop.signal });
const group = new WorkerGroup(bus, { pieces: pieces!.split(","), log, newBroker: true });
print({ worker: group.worker });
await group.run(stop.signal, (lease) => sayWhileHeld(lease, print));
await bus.close();

/** Standard output is a pipe and written at once: what was said survives a SIGKILL. */
function print(line: Held | { readonly worker: string }): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
