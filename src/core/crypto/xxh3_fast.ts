/** XXH3-64 where it runs per event: checksums of log records and shards of the event bus (`storage.md` 1). */
import { xxh3 } from "./xxh3.ts";

/** Low 32 bits of XXH3-64. */
export function xxh3Low32(bytes: Uint8Array): number {
  return Number(xxh3(bytes) & 0xffff_ffffn);
}

/** `floor(xxh3 * buckets / 2^64)`: which of `buckets` (1..65535) the bytes belong to. */
export function xxh3Bucket(bytes: Uint8Array, buckets: number): number {
  return Number((xxh3(bytes) * BigInt(buckets)) >> 64n);
}
