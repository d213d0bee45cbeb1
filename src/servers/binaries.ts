import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Where `deploy/fetch_servers.sh` unpacks the system's packages when the servers are not installed. */
const UNPACKED = fileURLToPath(new URL("../../.tools/root/", import.meta.url));
const UNPACKED_FOLDERS = ["usr/sbin", "usr/bin"].map((folder) => join(UNPACKED, folder));

const PACKAGES = { "nats-server": "nats-server", influxd: "influxdb" } as const;

export type ServerName = keyof typeof PACKAGES;

/**
 * Path of a server's executable: from PATH, else from the packages that `make` unpacked beside the sources.
 *
 * @param path folders to search first, separated as in PATH
 * @throws {Error} if there is none; the message says what to install
 */
export function findServer(name: ServerName, path: string = process.env.PATH ?? ""): string {
  for (const folder of [...path.split(delimiter), ...UNPACKED_FOLDERS]) {
    const file = join(folder, name);
    if (folder !== "" && isExecutable(file)) return file;
  }
  throw new Error(
    `Cannot find "${name}" on PATH or in .tools/: run "make install-servers", ` +
      `or install it (the Debian package is "${PACKAGES[name]}")`,
  );
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
