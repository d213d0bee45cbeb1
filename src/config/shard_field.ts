import type { z } from "zod";
import { field, NotAllowedError } from "./not_allowed.ts";

/** Most shards; each is a subject, a consumer per role and an actor. */
export const MAX_SHARDS = 256;

const RANGE = /^(\d{1,3})(?:-(\d{1,3}))?$/;
const ALLOWED = `all, or numbers and ranges from 0 to ${MAX_SHARDS - 1} such as 0-3 or 0,2,5`;

/** The shards that a process works on, ascending; `undefined` for `all`. */
export const shardSelection: z.ZodType<readonly number[] | undefined, string> = field((text) => {
  if (text === "all") return undefined;
  const shards = new Set<number>();
  for (const part of text.split(",")) {
    const [, first, last = first] = RANGE.exec(part.trim()) ?? [];
    if (first === undefined || Number(first) > Number(last) || Number(last) >= MAX_SHARDS) {
      throw new NotAllowedError(text, "is not a selection of shards", ALLOWED);
    }
    for (let shard = Number(first); shard <= Number(last); shard++) shards.add(shard);
  }
  return [...shards].toSorted((a, b) => a - b);
});
