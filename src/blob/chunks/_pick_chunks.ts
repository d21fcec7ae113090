/** Some of very many small chunks. */
import type { SmallChunks } from "../chunk_store.ts";
import { HASH_BYTES } from "../limits.ts";

/** Those with these numbers, which ascend; copied. */
export function pickChunks(
  { count, hashes, sizes, bytes }: SmallChunks,
  numbers: readonly number[],
): SmallChunks {
  const picked = {
    count: numbers.length,
    hashes: new Uint8Array(numbers.length * HASH_BYTES),
    sizes: new Float64Array(numbers.length),
    bytes: new Uint8Array(numbers.reduce((sum, i) => sum + (sizes[i] ?? 0), 0)),
  };
  let [next, from, to] = [0, 0, 0];
  for (let i = 0; i < count && next < numbers.length; i++) {
    const size = sizes[i] ?? 0;
    if (numbers[next] === i) {
      picked.hashes.set(hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES), next * HASH_BYTES);
      picked.sizes[next] = size;
      picked.bytes.set(bytes.subarray(from, from + size), to);
      to += size;
      next += 1;
    }
    from += size;
  }
  return picked;
}
