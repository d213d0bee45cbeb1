/** What to do after InfluxDB answered a write request, or did not. */
export type WriteVerdict =
  /** All lines are stored. */
  | { readonly kind: "stored" }
  /** All lines are stored but those older than the retention policy keeps. */
  | { readonly kind: "beyond_retention" }
  /** The same request may work in a moment. */
  | { readonly kind: "retry"; readonly cause: string }
  /** The same request will work once an operator, or provisioning, has put things right. */
  | { readonly kind: "refused"; readonly cause: string; readonly message: string }
  /** Some line of the request is bad or the request is too large: parts of it may work. */
  | { readonly kind: "divide"; readonly message: string };

const BEYOND_RETENTION = "points beyond retention policy";
const UNKNOWN_RETENTION = "retention policy not found";

/** Judges the answer to a write request by its status and the text of its body. */
export function judgeAnswer(status: number, body: string): WriteVerdict {
  if (status === 204) return { kind: "stored" };
  if (status === 400 && body.includes(BEYOND_RETENTION) && !body.includes("unable to parse")) {
    return { kind: "beyond_retention" };
  }
  if (status === 400 || status === 413) return { kind: "divide", message: body };
  if (status === 401 || status === 403 || status === 404 || body.includes(UNKNOWN_RETENTION)) {
    return { kind: "refused", cause: `status_${status}`, message: body };
  }
  return { kind: "retry", cause: `status_${status}` };
}

/**
 * Judges a request that failed without an answer. influxd echoes a bad line into a response header; where that line
 * has control characters, the HTTP parser breaks the connection, which is the line's fault and not the network's.
 */
export function judgeFailure(error: unknown): WriteVerdict {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = codeOf(cause) ?? codeOf(error) ?? "";
  if (code.startsWith("HPE_")) return { kind: "divide", message: `the answer cannot be read: ${code}` };
  const timedOut = error instanceof Error && error.name === "TimeoutError";
  return { kind: "retry", cause: timedOut ? "timeout" : "network" };
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return String(error.code);
}

/** The lines that InfluxDB says it cannot parse. */
export function quotedLines(message: string): Set<string> {
  const lines = new Set<string>();
  let text = message;
  try {
    text = (JSON.parse(message) as { error?: string }).error ?? message;
  } catch {
    // Not the usual JSON body: look for the lines in the text as it is.
  }
  for (const [, line] of text.matchAll(/unable to parse '(.*?)': /gs)) lines.add(line!);
  return lines;
}
