import { type Logger, pino } from "pino";
import { PinoPretty } from "pino-pretty";

export type { Logger } from "pino";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * Structured log on standard error: JSON lines, or readable lines when standard error is a terminal. Errors go
 * under `err`, and only as name, message, code and stack: client libraries hang requests with credentials on
 * their errors.
 */
export function createLog(level: LogLevel): Logger {
  const options = { level, base: null, serializers: { err: describeError } };
  if (process.stderr.isTTY) {
    return pino(options, PinoPretty({ destination: 2, sync: true, ignore: "pid,hostname" }));
  }
  return pino(options, pino.destination({ dest: 2, sync: true }));
}

/** A log that writes nothing, and hands on the errors that it is told of. */
export function watchErrors(onError: (error: unknown) => void): Logger {
  return pino({
    hooks: {
      logMethod([fields]) {
        if (typeof fields === "object" && fields !== null && "err" in fields) onError(fields.err);
      },
    },
  });
}

function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) {
    return { message: String(error) };
  }
  return {
    name: error.name,
    message: error.message,
    ...("code" in error ? { code: error.code } : {}),
    stack: error.stack,
    ...(error.cause instanceof Error ? { cause: describeCause(error.cause) } : {}),
  };
}

/** Where several addresses were tried in vain, the cause has no message, only a code. */
function describeCause(cause: Error): string {
  const code = "code" in cause ? String(cause.code) : "";
  return `${cause.name}: ${cause.message === "" ? code : cause.message}`;
}
