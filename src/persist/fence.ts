/**
 * Keeps out what owners of a shard publish that are none any more: a process that was frozen, or cut off, for longer
 * than its lease. Each owner has a greater token than those before it.
 */
export class Fence {
  /** By shard. */
  readonly #newest = new Map<number, number>();

  /** Whether a message of this shard comes from a past owner; 0 is the token of a fixed one, which never is. */
  isPast(shard: number, token: number): boolean {
    if (token === 0) return false;
    const newest = this.#newest.get(shard) ?? 0;
    if (token > newest) this.#newest.set(shard, token);
    return token < newest;
  }
}
