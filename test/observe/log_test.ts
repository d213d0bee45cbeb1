import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const LOG = new URL("../../src/observe/log.ts", import.meta.url).href;

/** Runs a few statements with a `log`, and gives its lines and the text that they came from. */
function run(level: string, statements: string): { lines: Record<string, unknown>[]; text: string } {
  const code = `import { createLog } from ${JSON.stringify(LOG)}; const log = createLog("${level}"); ${statements}`;
  const args = ["--import", "tsx", "--input-type=module", "--eval", code];
  const { stderr, stdout, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  assert.equal(stdout, "", "standard output belongs to the status");
  const lines = stderr.split("\n").filter((line) => line !== "");
  return { lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>), text: stderr };
}

test("createLog() writes JSON lines of its level and above to standard error", () => {
  const { lines } = run("warn", 'log.info("low"); log.warn({ lane: "ticks" }, "high"); log.error("higher");');
  assert.deepEqual(
    lines.map(({ msg, lane }) => [msg, lane]),
    [
      ["high", "ticks"],
      ["higher", undefined],
    ],
  );
  assert.equal(run("silent", 'log.fatal("nothing");').lines.length, 0);
});

test("createLog() hides what clients hang on their errors: requests with credentials", () => {
  const { lines, text } = run(
    "info",
    `const err = new Error("No host available");
    err.code = "E_HOST";
    err.req = { headers: { authorization: "Basic c2VjcmV0" }, auth: "user:secret" };
    err.config = { password: "secret" };
    err.cause = Object.assign(new Error("connect failed"), { req: err.req });
    log.warn({ err }, "one");
    log.error(err);
    log.error({ err: { password: "secret", toString: () => "odd" } }, "two");
    log.error({ err: "text" }, "three");`,
  );
  assert.doesNotMatch(text, /c2VjcmV0|secret/);
  assert.equal(lines.length, 4);
  for (const { err } of lines.slice(0, 2)) {
    const { name, message, code, cause, stack, ...rest } = err as Record<string, string>;
    assert.deepEqual([name, message, code], ["Error", "No host available", "E_HOST"]);
    assert.equal(cause, "Error: connect failed");
    assert.match(stack!, /^Error: No host available\n/);
    assert.deepEqual(rest, {});
  }
  assert.deepEqual(lines[2]!.err, { message: "odd" });
  assert.deepEqual(lines[3]!.err, { message: "text" });
});

test("createLog() tells why a connection failed, also where the error has nothing but a code", () => {
  const { lines } = run(
    "info",
    `const refused = Object.assign(new AggregateError([new Error("::1"), new Error("127.0.0.1")]), { code: "ECONNREFUSED" });
    log.warn({ err: new TypeError("fetch failed", { cause: refused }) }, "one");
    const reset = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
    log.warn({ err: new TypeError("fetch failed", { cause: reset }) }, "two");`,
  );
  const causes = lines.map(({ err }) => (err as { cause: string }).cause);
  assert.deepEqual(causes, ["AggregateError: ECONNREFUSED", "Error: read ECONNRESET"]);
});
