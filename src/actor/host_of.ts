const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  "http:": 80,
  "https:": 443,
  "ws:": 80,
  "wss:": 443,
  "nats:": 4222,
  "tls:": 4222,
};

/** `host:port` of a server, as permissions name it: without a port they would grant all of the host's. */
export function hostOf(url: string): string {
  const { host, port, protocol } = new URL(url);
  return port === "" ? `${host}:${DEFAULT_PORTS[protocol]}` : host;
}
