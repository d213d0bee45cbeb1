/** What to do after InfluxDB answered a write request, or did not. */
export type WriteVerdict =
  /** All lines are stored. */
  | { readonly kind: "stored" }
  /** All lines are stored but `dropped` of them, which are older than the retention policy keeps. */
  | { readonly kind: "beyond_retention"; readonly dropped: number }
  /** The same request may work in a moment. */
  | { readonly kind: "retry"; readonly cause: string; readonly message: string }
  /** The same request will work once the database and its retention policies are there again. */
  | { readonly kind: "missing"; readonly cause: string; readonly message: string }
  /** The same request will work once an operator has put things right. */
  | { readonly kind: "refused"; readonly cause: string; readonly message: string }
  /** Some line of the request is bad or the request is too large: parts of it may work. */
  | { readonly kind: "divide"; readonly message: string };

const BEYOND_RETENTION = /points beyond retention policy dropped=(\d+)/;
const UNKNOWN_PLACE = /database not found|retention policy not found/;

/**
 * Judges the answer to a write request by its status and the text of its body. Only what InfluxDB itself says is
 * held against a line: a proxy that answers 400 knows nothing of lines.
 */
export function judgeAnswer(status: number, body: string): WriteVerdict {
  if (status === 204) return { kind: "stored" };
  const cause = `status_${status}`;
  const error = errorOf(body);
  if (error !== undefined && UNKNOWN_PLACE.test(error)) return { kind: "missing", cause, message: error };
  if (status === 400 && error !== undefined) {
    const dropped = BEYOND_RETENTION.exec(error)?.[1];
    if (dropped !== undefined) return { kind: "beyond_retention", dropped: Number(dropped) };
    return { kind: "divide", message: error };
  }
  const message = error ?? body;
  if (status === 413) return { kind: "divide", message };
  if (status === 400 || status === 401 || status === 403 || status === 404) {
    return { kind: "refused", cause, message };
  }
  return { kind: "retry", cause, message };
}

/**
 * Judges a request that failed without an answer. influxd echoes a bad line into a response header; where that line
 * has control characters, the HTTP parser breaks the connection, which is the line's fault and not the network's.
 * Any other answer that is no HTTP comes from something that is not InfluxDB.
 */
export function judgeFailure(error: unknown): WriteVerdict {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = codeOf(cause) ?? codeOf(error);
  if (code === "HPE_INVALID_HEADER_TOKEN") {
    return { kind: "divide", message: `the answer cannot be read: ${code}` };
  }
  if (error instanceof Error && error.name === "TimeoutError") {
    return { kind: "retry", cause: "timeout", message: error.message };
  }
  return { kind: "retry", cause: "network", message: code ?? String(error) };
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return String(error.code);
}

/** What InfluxDB complains of, or undefined if the body is not InfluxDB's. */
function errorOf(body: string): string | undefined {
  try {
    const { error } = JSON.parse(body) as { error?: unknown };
    return typeof error === "string" ? error : undefined;
  } catch {
    return undefined;
  }
}

/** The lines that InfluxDB says it cannot parse. */
export function quotedLines(message: string): Set<string> {
  const quoted = message.matchAll(/unable to parse '(.*?)': /gs);
  return new Set(Array.from(quoted, ([, line]) => line!));
}
