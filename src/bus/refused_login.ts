import { ErrorCode, NatsError } from "nats";

/** What the server answers to a login that it does not accept, and the client to a login that it cannot make. */
const REFUSALS: readonly string[] = [
  ErrorCode.AuthorizationViolation,
  ErrorCode.AuthenticationExpired,
  ErrorCode.AuthenticationTimeout,
  ErrorCode.BadAuthentication,
];

/** Whether a connection failed because the server does not let this user in. */
export function isRefusedLogin(error: unknown): boolean {
  return error instanceof NatsError && REFUSALS.includes(error.code);
}

/** Whether a request failed because the server does not let this user ask it. */
export function isRefusedRequest(error: unknown): boolean {
  return error instanceof NatsError && error.code === ErrorCode.PermissionsViolation;
}
