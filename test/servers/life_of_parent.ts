import { startNatsServer } from "../../src/servers/nats_server.ts";

/** A process that owns a server: prints its pid and port, then waits to be killed. */
const server = await startNatsServer();
process.stdout.write(`${JSON.stringify({ pid: server.pid, port: server.port })}\n`);
setInterval(() => {}, 60_000);
