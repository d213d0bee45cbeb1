import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Command } from "../run/command.ts";
import { createPassword } from "./secure_influxd.ts";
import { type SecureNats, startSecureNats } from "./secure_nats.ts";

/** Shorter than a server is waited for. */
const DEADLINE_MS = 20_000;

test("inspect says whom the server does not let in, or does not let ask, in one line without a secret", async (t) => {
  const password = createPassword();
  const nats = await startSecureNats(t, { passwords: { ingest: password } });
  const foreign = await startSecureNats(t);
  const seedFile = foreign.seedFiles.inspect;
  const wrong = createPassword();
  const notIn = `Cannot inspect: NATS at ${nats.url} does not let`;
  const asks = "ask for streams and accounts";
  const login = "(NATS_USER, NATS_PASSWORD)";
  const cases: readonly (readonly [env: Readonly<Record<string, string>>, says: string])[] = [
    [{}, `${notIn} anybody without a login (NATS_USER, NATS_NKEY_SEED_FILE or NATS_CREDS_FILE) in`],
    [{ NATS_NKEY_SEED_FILE: seedFile }, `${notIn} the user of NATS_NKEY_SEED_FILE "${seedFile}" in`],
    [{ NATS_USER: "ingest", NATS_PASSWORD: wrong }, `${notIn} user "ingest" ${login} in`],
    [
      { NATS_USER: "ingest", NATS_PASSWORD: password },
      `Cannot inspect: NATS does not let user "ingest" ${login} ${asks}, as user "inspect" of deploy/nats.conf may`,
    ],
  ];
  const commands = cases.map(([env, says]) => [inspect(t, nats, env), says] as const);
  for (const [command, says] of commands) {
    assert.deepEqual(await command.ends(DEADLINE_MS), { code: 1, signal: null }, command.stderr);
    assert.equal(command.stderr, `${says}\n`);
    assert.equal(command.stdout, "");
  }
});

function inspect(t: TestContext, nats: SecureNats, env: Readonly<Record<string, string>>): Command {
  return new Command(t, "inspect", { NATS_URL: nats.url, NATS_CA_FILE: nats.caFile, ...env });
}
