import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeAnswer, judgeFailure, quotedLines } from "../../src/store/write_verdict.ts";

const error = (text: string) => JSON.stringify({ error: text });

test("judgeAnswer() takes 204 alone for success", () => {
  assert.deepEqual(judgeAnswer(204, ""), { kind: "stored" });
  for (const status of [200, 201, 202, 301, 302, 307, 408, 429, 500, 502, 503, 504]) {
    assert.equal(judgeAnswer(status, "<html>").kind, "retry", `status ${status}`);
  }
});

test("judgeAnswer() blames a line only where InfluxDB itself does", () => {
  for (const text of [
    "unable to parse 'x': missing fields",
    "partial write: field type conflict dropped=1",
  ]) {
    assert.deepEqual(judgeAnswer(400, error(text)), { kind: "divide", message: text });
  }
  for (const body of ["", "<html>400 Bad Request</html>", "{}", '{"error":7}', "null"]) {
    assert.equal(judgeAnswer(400, body).kind, "refused", body);
  }
  assert.equal(judgeAnswer(413, "<html>").kind, "divide");
});

test("judgeAnswer() tells a missing database or policy from a refusal", () => {
  assert.equal(judgeAnswer(404, error('database not found: "market"')).kind, "missing");
  assert.equal(judgeAnswer(500, error("retention policy not found: candles")).kind, "missing");
  for (const status of [401, 403, 404]) {
    assert.deepEqual(judgeAnswer(status, "no"), {
      kind: "refused",
      cause: `status_${status}`,
      message: "no",
    });
  }
});

test("judgeAnswer() says how many points are beyond the retention policy", () => {
  const body = error("partial write: points beyond retention policy dropped=12");
  assert.deepEqual(judgeAnswer(400, body), { kind: "beyond_retention", dropped: 12 });
});

test("judgeFailure() blames the line for a header that cannot be read, else the network", () => {
  const failed = (cause: object) => judgeFailure(Object.assign(new TypeError("fetch failed"), { cause }));
  const coded = (code: string) => Object.assign(new Error(code), { code });
  assert.equal(failed(coded("HPE_INVALID_HEADER_TOKEN")).kind, "divide");
  for (const code of ["HPE_INVALID_CONSTANT", "ECONNREFUSED", "UND_ERR_SOCKET"]) {
    assert.deepEqual(failed(coded(code)), { kind: "retry", cause: "network", message: code });
  }
  const timeout = new DOMException("no answer", "TimeoutError");
  assert.deepEqual(judgeFailure(timeout), { kind: "retry", cause: "timeout", message: "no answer" });
  assert.equal(judgeFailure("anything").kind, "retry");
});

test("quotedLines() finds every line that InfluxDB cannot parse, quotes and all", () => {
  const message =
    "partial write: unable to parse 'm f=1x 1': invalid number\n" +
    `unable to parse 'm f="it's" x': bad timestamp\nunable to parse 'm,a= f=1': missing tag value dropped=0`;
  assert.deepEqual(quotedLines(message), new Set(["m f=1x 1", `m f="it's" x`, "m,a= f=1"]));
  assert.equal(quotedLines("partial write: field type conflict dropped=1").size, 0);
});
