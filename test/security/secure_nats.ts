import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { nkeys } from "nats";
import { greets } from "../../src/servers/nats_server.ts";
import { type PrivateServer, startPrivateServer } from "../../src/servers/private_server.ts";
import { privateFolder } from "../run/command.ts";
import { createServerCertificate } from "./certificates.ts";

/** The users of `deploy/nats.conf`. */
export const NATS_ROLES = ["ingest", "kline", "persist", "gateway", "inspect", "ops"] as const;
export type NatsRole = (typeof NATS_ROLES)[number];

const DEPLOYED = fileURLToPath(new URL("../../deploy/nats.conf", import.meta.url));

/** A nats-server as it is deployed: with `deploy/nats.conf`, unchanged. */
export interface SecureNats extends PrivateServer {
  readonly caFile: string;
  readonly seedFiles: Readonly<Record<NatsRole, string>>;
  /** What must be seen nowhere. */
  readonly secrets: readonly string[];
}

export interface SecureNatsOptions {
  readonly binary?: string | undefined;
  /** Logs in with passwords instead of nkeys, as `deploy/README.md` says. */
  readonly passwords?: Readonly<Partial<Record<NatsRole, string>>>;
}

/** Starts a nats-server with certificates and nkeys of its own; it ends with the test. */
export async function startSecureNats(t: TestContext, options: SecureNatsOptions = {}): Promise<SecureNats> {
  const { binary, passwords = {} } = options;
  const folder = await privateFolder(t);
  const { ca, certificate, key } = createServerCertificate();
  const write = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const pairs = NATS_ROLES.map((role) => [role, nkeys.createUser()] as const);
  const seeds = pairs.map(([role, pair]) => [role, Buffer.from(pair.getSeed()).toString()] as const);
  const logins = pairs.map(([role, pair]) => {
    const password = passwords[role];
    const variable = `${role.toUpperCase()}_${password === undefined ? "NKEY" : "PASSWORD"}`;
    return [variable, password ?? pair.getPublicKey()] as const;
  });
  const name = `tickline-${randomBytes(8).toString("hex")}`;
  const server = await startPrivateServer(
    {
      name: "nats-server",
      scheme: "nats",
      configOf(port, serverFolder) {
        const site = {
          SITE_NAME: name,
          SITE_LISTEN: `127.0.0.1:${port}`,
          SITE_STORE: serverFolder,
          SITE_CERTIFICATE: write("nats.crt", certificate),
          SITE_KEY: write("nats.key", key),
        };
        const values = [...Object.entries(site), ...logins];
        const lines = values.map(([variable, value]) => `${variable}: ${JSON.stringify(value)}\n`);
        writeFileSync(join(serverFolder, "nats_site.conf"), lines.join(""));
        return deployedConfig(passwords);
      },
      argsOf: (configPath) => ["-c", configPath],
      isReady: (port) => greets(port, name),
    },
    { binary },
  );
  t.after(() => server.stop());
  const seedFiles = seeds.map(([role, seed]) => [role, write(`${role}.nk`, `${seed}\n`)] as const);
  return Object.assign(server, {
    caFile: write("ca.crt", ca),
    seedFiles: Object.fromEntries(seedFiles) as Record<NatsRole, string>,
    secrets: [...seeds.map(([, seed]) => seed), ...Object.values(passwords)],
  });
}

/** The file of the repository; for a password with what `deploy/README.md` says to write instead of an nkey. */
function deployedConfig(passwords: NonNullable<SecureNatsOptions["passwords"]>): string {
  let text = readFileSync(DEPLOYED, "utf8");
  for (const role of Object.keys(passwords)) {
    const variable = role.toUpperCase();
    text = text.replace(`nkey: $${variable}_NKEY`, `user: ${role}, password: $${variable}_PASSWORD`);
  }
  return text;
}
