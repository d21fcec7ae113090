/** Byte sources and payloads for tests. */
import type { ByteSource } from "../../src/blob/mod.ts";
import { seededRandom } from "../sim/memory_network.ts";

/** Reads `bytes` in pieces of at most `pieceBytes`. */
export function bytesSource(bytes: Uint8Array, pieceBytes = 1 << 20): ByteSource {
  let at = 0;
  return {
    read: (into) => {
      if (at >= bytes.length) return Promise.resolve(null);
      const piece = bytes.subarray(at, at + Math.min(pieceBytes, into.length));
      into.set(piece);
      at += piece.length;
      return Promise.resolve(piece.length);
    },
  };
}

/** Seeded bytes; every 4 bytes a new random number. */
export function seededBytes(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const random = seededRandom(seed);
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0; i < words.length; i++) words[i] = random() * 0x1_0000_0000;
  return new Uint8Array(words.buffer, 0, length).slice();
}
