import { z } from "zod";
import { field, listField, NotAllowedError } from "./not_allowed.ts";
import { Secret } from "./secret.ts";

/** As InfluxQL takes it without quotes, so that a hand-written query works too. */
const DATABASE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
const HOST = /^[A-Za-z0-9.:-]{1,253}$/;

/** One of a few words. */
export function oneOf<const T extends string>(words: readonly T[]): z.ZodType<T, string> {
  return field((text) => toWord(words, text));
}

/** Some of a few words. */
export function someOf<const T extends string>(words: readonly T[]): z.ZodType<readonly T[], string> {
  return listField((text) => toWord(words, text));
}

/** `true` or `false`. */
export const flag: z.ZodType<boolean, string> = oneOf(["true", "false"]).transform((word) => word === "true");

/** Any text. */
export const text: z.ZodType<string, string> = z.string();

/** A password. */
export const secret: z.ZodType<Secret, string> = z.string().transform((password) => new Secret(password));

/** The name of a database. */
export const databaseName: z.ZodType<string, string> = field((name) => {
  if (DATABASE_NAME.test(name)) return name;
  throw new NotAllowedError(
    name,
    "is not a database name",
    "letters, digits and _, not starting with a digit",
  );
});

/** A name or address to listen on. */
export const host: z.ZodType<string, string> = field((name) => {
  if (HOST.test(name)) return name;
  throw new NotAllowedError(name, "is not a host", "a name or address such as 127.0.0.1 or 0.0.0.0");
});

/** NATS servers. The client of this version speaks TCP only, so `ws:` is not among the schemes. */
export const natsServers: z.ZodType<readonly string[], string> = withoutLogin(
  listField((url) => toServerUrl(url, { schemes: ["nats", "tls"], paths: false })),
  "NATS_USER and NATS_PASSWORD",
);

/** The base address of an HTTP service. */
export const httpUrl: z.ZodType<string, string> = withoutLogin(
  field((url) => toServerUrl(url, { schemes: ["http", "https"], paths: true })),
  "INFLUX_USERNAME and INFLUX_PASSWORD",
);

/** Scheme, host and port that stand in for a venue's own. */
export function venueUrl(schemes: readonly string[]): z.ZodType<string, string> {
  return field((url) => toServerUrl(url, { schemes, paths: false }));
}

function toWord<T extends string>(words: readonly T[], given: string): T {
  const word = words.find((candidate) => candidate === given);
  if (word === undefined) throw new NotAllowedError(given, "is unknown", words.join(" "));
  return word;
}

/** Refuses `user:password@host` as a whole, before a comma in the password could make two elements of it. */
function withoutLogin<T>(schema: z.ZodType<T, string>, variables: string): z.ZodType<T, string> {
  return field((url) => {
    if (!url.includes("@")) return url;
    throw new NotAllowedError(url, "carries a user or password", `an address without, and ${variables}`);
  }).pipe(schema);
}

interface ServerUrlRule {
  readonly schemes: readonly string[];
  readonly paths: boolean;
}

function toServerUrl(given: string, { schemes, paths }: ServerUrlRule): string {
  const allowed = `${schemes.map((scheme) => `${scheme}://host:port`).join(" or ")}${paths ? "" : ", no path"}`;
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url === undefined || !schemes.some((scheme) => url.protocol === `${scheme}:`) || url.hostname === "") {
    throw new NotAllowedError(given, "is not such an address", allowed);
  }
  const path = url.pathname.replace(/\/+$/, "");
  if ((path !== "" && !paths) || url.search !== "" || url.hash !== "" || given.includes("@")) {
    throw new NotAllowedError(given, "has more than scheme, host and port", allowed);
  }
  return `${url.protocol}//${url.host}${path}`;
}
