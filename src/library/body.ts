/** What programs hand over as bytes: bytes themselves, or a text that stands for its UTF-8. */
import { utf8 } from "../base/mod.ts";

/** Bytes, or a text that is sent as UTF-8. */
export type Body = Uint8Array | string;

const DECODER = new TextDecoder();

/** The bytes of a body; those given are not copied. */
export function toBytes(body: Body): Uint8Array {
  return typeof body === "string" ? utf8(body) : body;
}

/**
 * The text that UTF-8 bytes stand for; what is no UTF-8 becomes replacement characters.
 *
 * @example
 * ```ts
 * import { toText } from "./body.ts";
 * console.assert(toText(new Uint8Array([0x68, 0x69])) === "hi");
 * ```
 */
export function toText(bytes: Uint8Array): string {
  return DECODER.decode(bytes);
}
