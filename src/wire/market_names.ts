const VALID = /^[A-Z0-9]{1,20}(-[A-Z0-9]{1,20}){1,4}$/;
/** The longest valid name has as many letters. */
const MAX_LENGTH = 104;
/** More than venues list; beyond it the names are made anew. */
const MAX_NAMES = 65_536;
/** Offset and prime of FNV-1a for 32 bits, http://www.isthe.com/chongo/tech/comp/fnv/. */
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** Names of markets as they stand in messages: each is made a string, and checked, once. */
export class MarketNames {
  /** By the hash of their bytes; of two that share one, the first. */
  readonly #names = new Map<number, string>();

  /** The name that stands in some bytes; undefined if it is not that of a market. */
  read(data: Uint8Array, start: number, end: number): string | undefined {
    let hash = FNV_OFFSET;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ data[i]!, FNV_PRIME);
    const known = this.#names.get(hash);
    if (known !== undefined && stands(known, data, start, end)) return known;
    if (end - start > MAX_LENGTH) return undefined;
    const name = String.fromCharCode(...data.subarray(start, end));
    if (!VALID.test(name)) return undefined;
    if (this.#names.size >= MAX_NAMES) this.#names.clear();
    if (known === undefined) this.#names.set(hash, name);
    return name;
  }
}

function stands(name: string, data: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) !== data[start + i]) return false;
  return true;
}
