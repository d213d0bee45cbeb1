import type { z } from "zod";
import { field, NotAllowedError } from "./not_allowed.ts";

const DURATION = /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)$/;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const SIZE = /^(\d{1,15}(?:\.\d{1,6})?)(B|KiB|MiB|GiB|TiB)?$/;
const UNIT_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

export interface DurationBounds {
  /** Shortest, with its unit. */
  readonly min: string;
  /** Longest, with its unit. */
  readonly max: string;
  /** What `0` means where it is allowed below `min`, `off`. */
  readonly zero?: string;
}

/** A duration such as `500ms`, `60s`, `5m`, `24h` or `7d`, as whole ms. */
export function duration({ min, max, zero }: DurationBounds): z.ZodType<number, string> {
  const minMs = parseDurationMs(min);
  const maxMs = parseDurationMs(max);
  const orZero = zero === undefined ? "" : `, or 0 (${zero})`;
  const allowed = `${min} to ${max} with a unit of ms, s, m, h or d${orZero}`;
  return field((text) => {
    const ms = parseDurationMs(text);
    if (Number.isNaN(ms)) throw new NotAllowedError(text, "is not a duration", allowed);
    if (ms === 0 && zero !== undefined) return 0;
    if (ms < minMs || ms > maxMs) throw new NotAllowedError(text, "is out of range", allowed);
    return ms;
  });
}

/** A size such as `256MiB` or `1GiB`, or a plain number of bytes, within bounds. */
export function size(min: string, max: string): z.ZodType<number, string> {
  const minBytes = parseSizeBytes(min);
  const maxBytes = parseSizeBytes(max);
  const allowed = `${min} to ${max} with a unit of KiB, MiB, GiB or TiB`;
  return field((text) => {
    const bytes = parseSizeBytes(text);
    if (Number.isNaN(bytes)) throw new NotAllowedError(text, "is not a size", allowed);
    if (bytes < minBytes || bytes > maxBytes) throw new NotAllowedError(text, "is out of range", allowed);
    return bytes;
  });
}

/** A whole number in plain digits within bounds, both inclusive. */
export function wholeNumber(min: number, max: number): z.ZodType<number, string> {
  return field((text) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new NotAllowedError(text, "is not such a number", `a whole number from ${min} to ${max}`);
  });
}

/** A decimal number in plain digits within bounds, both inclusive. */
export function decimalNumber(min: number, max: number): z.ZodType<number, string> {
  return field((text) => {
    const value = /^\d{1,12}(\.\d{1,12})?$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new NotAllowedError(text, "is not such a number", `a number from ${min} to ${max}`);
  });
}

function parseDurationMs(text: string): number {
  if (text === "0") return 0;
  const [, amount, unit] = DURATION.exec(text) ?? [];
  return amount === undefined ? Number.NaN : Math.round(Number(amount) * UNIT_MS[unit!]!);
}

function parseSizeBytes(text: string): number {
  const [, amount, unit = "B"] = SIZE.exec(text) ?? [];
  return amount === undefined ? Number.NaN : Math.round(Number(amount) * UNIT_BYTES[unit]!);
}
