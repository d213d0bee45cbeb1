import { z } from "zod";

const recordSchema = z.object({
  owner: z.string(),
  token: z.number().int().nonnegative(),
  seen: z.boolean().default(false),
});

/**
 * What is written under the name of a piece. An empty owner says that the piece was given back. `seen`: the owner's
 * right ends with its connection, and others see when that is gone; see `Presence`.
 */
export type LeaseRecord = Readonly<z.infer<typeof recordSchema>>;

export const NOBODY = "";

export function encodeRecord(record: LeaseRecord): Uint8Array {
  return Buffer.from(JSON.stringify(record));
}

/** The record, or nothing if it is none: the key was deleted, or written by hand. */
export function readRecord(value: Uint8Array): LeaseRecord | undefined {
  try {
    return recordSchema.parse(JSON.parse(Buffer.from(value).toString()));
  } catch {
    return undefined;
  }
}
