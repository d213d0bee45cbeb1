import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

const HOUR_MS = 3_600_000;
const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
/** Object identifiers and whole values, as DER. */
const ECDSA_WITH_SHA256 = der(SEQUENCE, Buffer.from("06082a8648ce3d040302", "hex"));
const COMMON_NAME = Buffer.from("0603550403", "hex");
const BASIC_CONSTRAINTS = Buffer.from("0603551d13", "hex");
const KEY_USAGE = Buffer.from("0603551d0f", "hex");
const ALTERNATIVE_NAME = Buffer.from("0603551d11", "hex");
const TRUE = Buffer.from("0101ff", "hex");
const VERSION_3 = Buffer.from("a003020102", "hex");
/** For a key that signs certificates. */
const SIGNS_CERTIFICATES = Buffer.from("03020204", "hex");
/** Names and addresses of a server on loopback. */
const LOOPBACK = der(SEQUENCE, der(0x82, Buffer.from("localhost")), der(0x87, Buffer.from([127, 0, 0, 1])));

/** Certificates and a key, in PEM. */
export interface ServerCertificate {
  /** Who signed; clients trust it. */
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** A certificate for servers on loopback, and the authority that signed it: node:crypto makes keys, but none of these. */
export function createServerCertificate(): ServerCertificate {
  const authority = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const server = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const ca = certify({
    subject: "tickline test authority",
    publicKey: authority.publicKey,
    signingKey: authority.privateKey,
    extensions: [
      extension(BASIC_CONSTRAINTS, der(SEQUENCE, TRUE), true),
      extension(KEY_USAGE, SIGNS_CERTIFICATES, true),
    ],
  });
  const certificate = certify({
    subject: "localhost",
    publicKey: server.publicKey,
    signingKey: authority.privateKey,
    extensions: [extension(ALTERNATIVE_NAME, LOOPBACK)],
  });
  return { ca, certificate, key: server.privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
}

interface Certified {
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly signingKey: KeyObject;
  readonly extensions: readonly Buffer[];
}

/** X.509, version 3 (RFC 5280, 4.1). */
function certify({ subject, publicKey, signingKey, extensions }: Certified): string {
  const nowMs = Date.now();
  const body = der(
    SEQUENCE,
    VERSION_3,
    der(INTEGER, Buffer.from([1]), randomBytes(8)),
    ECDSA_WITH_SHA256,
    nameOf("tickline test authority"),
    der(SEQUENCE, utcTime(nowMs - HOUR_MS), utcTime(nowMs + 24 * HOUR_MS)),
    nameOf(subject),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, der(SEQUENCE, ...extensions)),
  );
  const signature = der(BIT_STRING, Buffer.from([0]), sign("sha256", body, signingKey));
  const base64 = der(SEQUENCE, body, ECDSA_WITH_SHA256, signature).toString("base64");
  const lines = base64.match(/.{1,64}/g)!;
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

function nameOf(commonName: string): Buffer {
  return der(SEQUENCE, der(SET, der(SEQUENCE, COMMON_NAME, der(UTF8_STRING, Buffer.from(commonName)))));
}

function extension(id: Buffer, value: Buffer, critical = false): Buffer {
  return der(SEQUENCE, id, ...(critical ? [TRUE] : []), der(OCTET_STRING, value));
}

function utcTime(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/\D/g, "").slice(2, 14);
  return der(UTC_TIME, Buffer.from(`${digits}Z`));
}

/** A value with its tag and length. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
