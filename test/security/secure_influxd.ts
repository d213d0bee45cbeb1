import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { type PrivateServer, startPrivateServer } from "../../src/servers/private_server.ts";

const DEPLOYED = fileURLToPath(new URL("../../deploy/influxdb.conf", import.meta.url));

/** A user of InfluxDB. */
export interface InfluxLogin {
  readonly username: string;
  readonly password: string;
}

/** An influxd as it is deployed: with `deploy/influxdb.conf`, but for paths and addresses. */
export interface SecureInfluxd extends PrivateServer {
  readonly admin: InfluxLogin;
  /** Makes a user that has one privilege on a database, or none at all. */
  createUser(username: string, privilege?: string): Promise<InfluxLogin>;
  /** Sends a statement as an admin. */
  administer(statement: string): Promise<void>;
}

/** Starts an influxd with an admin and nobody else; it ends with the test. */
export async function startSecureInfluxd(t: TestContext): Promise<SecureInfluxd> {
  const server = await startPrivateServer(
    {
      name: "influxd",
      scheme: "http",
      configOf: (port, folder) =>
        readFileSync(DEPLOYED, "utf8")
          .replace("127.0.0.1:8088", "127.0.0.1:0")
          .replace("127.0.0.1:8086", `127.0.0.1:${port}`)
          .replaceAll("/var/lib/influxdb", folder),
      argsOf: (configPath) => ["-config", configPath],
      isReady: pings,
    },
    {},
  );
  t.after(() => server.stop());
  const admin = { username: "admin", password: createPassword() };
  const administer = (statement: string) => query(server.url, statement, admin);
  await administer(`CREATE USER admin WITH PASSWORD '${admin.password}' WITH ALL PRIVILEGES`);
  return Object.assign(server, {
    admin,
    administer,
    async createUser(username: string, privilege?: string) {
      const password = createPassword();
      await administer(`CREATE USER ${username} WITH PASSWORD '${password}'`);
      if (privilege !== undefined) await administer(`GRANT ${privilege} TO ${username}`);
      return { username, password };
    },
  });
}

/** A password that no other text contains. */
export function createPassword(): string {
  return `hunter2-${randomBytes(12).toString("hex")}`;
}

/** What an authorization header makes of a login. */
export function encodeLogin({ username, password }: InfluxLogin): string {
  return Buffer.from(`${username}:${password}`).toString("base64");
}

async function query(url: string, statement: string, login: InfluxLogin): Promise<void> {
  const response = await fetch(`${url}/query`, {
    method: "POST",
    headers: { authorization: `Basic ${encodeLogin(login)}` },
    body: new URLSearchParams({ q: statement }),
  });
  const text = await response.text();
  if (!response.ok || text.includes('"error"')) throw new Error(`Cannot run "${statement}": ${text}`);
}

async function pings(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/ping`).then(
    ({ status }) => status === 204,
    () => false,
  );
}
