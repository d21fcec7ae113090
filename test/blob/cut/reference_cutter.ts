/** FastCDC 2020 word for word as the specification has it (`dataforts.md` 4): slow, whole buffers only. */
import { type ContentDefinedChunking, cutMasks } from "../../../src/blob/mod.ts";
import { gearWords } from "../../../src/core/crypto/mod.ts";

const GEAR = gearWords();

/** Lengths of the chunks of `bytes`. */
export function referenceCuts(bytes: Uint8Array, chunking: ContentDefinedChunking): number[] {
  const lengths: number[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = referenceCut(bytes.subarray(at), chunking);
    lengths.push(length);
    at += length;
  }
  return lengths;
}

function referenceCut(
  bytes: Uint8Array,
  { minBytes, averageBytes, maxBytes }: ContentDefinedChunking,
): number {
  const { length } = bytes;
  if (length <= minBytes) return length;
  const limit = Math.min(length, maxBytes);
  const centre = Math.min(length, averageBytes);
  const { strict, lax } = cutMasks(averageBytes);
  let hash = 0n;
  for (let i = Math.floor(minBytes / 2); i < Math.floor(limit / 2); i++) {
    const mask = i < Math.floor(centre / 2) ? strict : lax;
    const a = 2 * i;
    hash = BigInt.asUintN(64, (hash << 2n) + ((GEAR[bytes[a] ?? 0] ?? 0n) << 1n));
    if ((hash & (mask << 1n)) === 0n) return a;
    hash = BigInt.asUintN(64, hash + (GEAR[bytes[a + 1] ?? 0] ?? 0n));
    if ((hash & mask) === 0n) return a + 1;
  }
  return limit;
}
