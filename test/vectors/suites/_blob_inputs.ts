/** Payloads of the vectors of blobs, by the generators of their own page. */
import { blake3 as nobleBlake3 } from "@noble/hashes/blake3.js";
import { concatBytes, utf8 } from "../../../src/base/mod.ts";
import type { ByteSource } from "../../../src/blob/mod.ts";
import { blake3Xof } from "../../../src/core/crypto/mod.ts";
import { bytesSource } from "../../blob/sources.ts";
import { listOf, numberOf, objectOf, textOf, type VectorObject } from "../vector_reader.ts";

/** The bytes that an `input` describes. */
export function inputOf(input: VectorObject): Uint8Array {
  const kind = textOf(input, "kind");
  if (kind === "hex") return Uint8Array.fromHex(textOf(input, "hex"));
  if (kind === "utf8") return utf8(textOf(input, "text"));
  if (kind === "concat") {
    return concatBytes(...listOf(input, "parts").map((part) => inputOf(objectOf(part, "part"))));
  }
  const length = numberOf(input, "length");
  if (kind === "const") return new Uint8Array(length).fill(numberOf(input, "value"));
  if (kind === "affine") {
    const [mul, add] = [numberOf(input, "mul"), numberOf(input, "add")];
    return Uint8Array.from({ length }, (_, i) => i * mul + add);
  }
  if (kind === "b3xof") return extendedOutput(textOf(input, "seed"), length);
  throw new TypeError(`Cannot read vector: no generator ${kind}`);
}

/** The same as a source, without holding long stretches of one value. */
export function inputSource(input: VectorObject): ByteSource {
  if (textOf(input, "kind") !== "const") return bytesSource(inputOf(input));
  const value = numberOf(input, "value");
  let left = numberOf(input, "length");
  return {
    read: (into) => {
      if (left === 0) return Promise.resolve(null);
      const count = Math.min(left, into.length);
      into.fill(value, 0, count);
      left -= count;
      return Promise.resolve(count);
    },
  };
}

let lastOutput: { readonly seed: string; readonly bytes: Uint8Array } | undefined;

/** BLAKE3 extended output of any length, from the reference; cases in a row often share theirs. */
function extendedOutput(seed: string, length: number): Uint8Array {
  if (length <= 1 << 20) return blake3Xof(utf8(seed), length);
  if (lastOutput?.seed !== seed || lastOutput.bytes.length < length) {
    lastOutput = { seed, bytes: nobleBlake3(utf8(seed), { dkLen: length }) };
  }
  return lastOutput.bytes.subarray(0, length);
}
