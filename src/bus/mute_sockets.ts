import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { Socket } from "node:net";

/** Node tells of each socket that is made here. */
const SOCKET_MADE = "net.client.socket";

/**
 * Closes connections to these ports on which nobody has said a word for too long, ms. A server of NATS speaks first;
 * the client gives up an attempt at a frozen one, makes another and leaves the socket open (nats 2.29,
 * `node_transport`), so that an outage of hours would use up the files that a process may have open.
 *
 * @returns what ends it
 */
export function closeMuteSockets(ports: ReadonlySet<number>, timeoutMs: number): () => void {
  const onSocket = (message: unknown): void => {
    const { socket } = message as { readonly socket: unknown };
    if (!(socket instanceof Socket)) return;
    socket.once("connect", () => {
      if (!ports.has(socket.remotePort ?? 0)) return;
      const closeIfMute = () => {
        if (socket.bytesRead === 0 && socket.bytesWritten === 0) socket.destroy();
      };
      setTimeout(closeIfMute, timeoutMs).unref();
    });
  };
  subscribe(SOCKET_MADE, onSocket);
  return () => unsubscribe(SOCKET_MADE, onSocket);
}
