/** Small helpers over `Uint8Array`; hex and base64 are the engine's own. */

/** Joins byte arrays into a new one. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** True when both arrays hold the same bytes; not constant in time, so not for secrets. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}

/** Compares without an early exit; for tags, tokens and other secrets. */
export function equalBytesConstantTime(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  let difference = 0;
  for (let i = 0; i < left.length; i++) difference |= (left[i] ?? 0) ^ (right[i] ?? 0);
  return difference === 0;
}

/** Lower-case hex of `bytes`. */
export function toHex(bytes: Uint8Array): string {
  return bytes.toHex();
}

/**
 * Bytes of a hex text, or `undefined` when it is not hex or not `length` bytes long.
 *
 * @param length Required number of bytes; any when left out.
 */
export function fromHex(text: string, length?: number): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  if (length !== undefined && text.length !== length * 2) return undefined;
  return Uint8Array.fromHex(text);
}

/** 64-bit id as 16 lower-case hex digits. */
export function idToHex(id: bigint): string {
  return id.toString(16).padStart(16, "0");
}

/** Reads a 64-bit id written as decimal, `0x…` or 16 hex digits; `undefined` when it is none. */
export function parseId(text: string): bigint | undefined {
  if (/^(0x)?[0-9a-fA-F]{16}$/.test(text)) return BigInt(`0x${text.replace(/^0x/, "")}`);
  if (!/^[0-9]{1,20}$/.test(text)) return undefined;
  const id = BigInt(text);
  return id < 1n << 64n ? id : undefined;
}

const ENCODER = new TextEncoder();

/** UTF-8 bytes of `text`. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return ENCODER.encode(text);
}
