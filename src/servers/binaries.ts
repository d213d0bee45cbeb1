import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Where `make` unpacks the system's packages when the servers are not installed. */
const TOOLS = new URL("../../.tools/", import.meta.url).pathname;
const FOLDERS = ["root/usr/sbin", "root/usr/bin", "root/usr/local/bin"].map((folder) => join(TOOLS, folder));

const PACKAGES: Readonly<Record<ServerName, string>> = { "nats-server": "nats-server", influxd: "influxdb" };

export type ServerName = "nats-server" | "influxd";

/**
 * Path of a server's executable: from PATH, else from the packages that `make` unpacked beside the sources.
 *
 * @throws {Error} if there is none; the message says what to install
 */
export function findServer(name: ServerName): string {
  for (const folder of [...(process.env.PATH ?? "").split(delimiter), ...FOLDERS]) {
    const path = join(folder, name);
    if (folder !== "" && isExecutable(path)) return path;
  }
  throw new Error(
    `Cannot find "${name}" on PATH: run "make servers-fetch", or install the package "${PACKAGES[name]}"`,
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
