/**
 * The shard of a market: FNV-1a over the id, mixed by murmur3's finalizer, modulo `shards`. The mixing matters:
 * FNV-1a alone keeps only the low bits of each character when `shards` is a power of two, and puts BTC-USDT and
 * ETH-USDT of every venue into one shard.
 *
 * Every process must compute it alike, so it never changes: a test pins known values.
 */
export function shardOf(marketId: string, shards: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < marketId.length; i++) {
    hash = Math.imul(hash ^ marketId.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % shards;
}
