import { ErrorCode, NatsError } from "nats";

/** Errors of the JetStream API that we tell apart (nats-server, `server/errors.json`). */
export const API_ERROR = {
  tooLittleForAccount: 10002,
  tooLittleMemory: 10028,
  noMessage: 10037,
  tooLittleStorage: 10047,
  /** The name is taken with another configuration. */
  nameInUse: 10058,
  noStream: 10059,
} as const;

/** The subject has another last message; servers from 2.12 on also have a code without its number in the text. */
const WRONG_LAST_SEQUENCE: readonly (number | undefined)[] = [10071, 10164];

/** Code of an error of the JetStream API; undefined for any other error. */
export function apiErrorOf(error: unknown): number | undefined {
  return error instanceof NatsError ? error.api_error?.err_code : undefined;
}

/** Whether a compare-and-swap failed because something else was written meanwhile. */
export function isWrongLastSequence(error: unknown): boolean {
  return WRONG_LAST_SEQUENCE.includes(apiErrorOf(error));
}

/** Whether a request found nobody to answer it; the server says so at once. */
export function isNobodyThere(error: unknown): boolean {
  return error instanceof NatsError && error.code === ErrorCode.NoResponders;
}
