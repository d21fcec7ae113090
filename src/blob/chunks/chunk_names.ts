/**
 * Names of chunk files: `ab/abcdef…`, and what a suffix says (`decisions.md` 14).
 *
 * | suffix | what |
 * | --- | --- |
 * | none | the plain bytes, all of them on the device |
 * | `.sealed` | encrypted (`sealing.ts`), all of it on the device |
 * | `.new`, `.sealed.new` | the same, but the loss of power may have torn it |
 */
import { fromHex } from "../../base/mod.ts";
import { HASH_BYTES } from "../limits.ts";

/** How a chunk is kept in a file. */
export interface ChunkForm {
  readonly isSealed: boolean;
  /** True while nothing says that its bytes are on the device. */
  readonly isYoung: boolean;
  readonly suffix: string;
}

/** All forms, likely ones first. */
export const CHUNK_FORMS: readonly ChunkForm[] = [
  { isSealed: false, isYoung: false, suffix: "" },
  { isSealed: true, isYoung: false, suffix: ".sealed" },
  { isSealed: false, isYoung: true, suffix: ".new" },
  { isSealed: true, isYoung: true, suffix: ".sealed.new" },
];

/** The form of these properties. */
export function formOf(isSealed: boolean, isYoung: boolean): ChunkForm {
  const form = CHUNK_FORMS.find((each) => each.isSealed === isSealed && each.isYoung === isYoung);
  if (form === undefined) throw new TypeError("Cannot name chunk: there is no such form");
  return form;
}

/** Folder of a chunk, below that of all chunks. */
export function shardOf(key: string): string {
  return key.slice(0, 2);
}

/** True for the name of a folder of chunks. */
export function isShard(name: string): boolean {
  return /^[0-9a-f]{2}$/.test(name);
}

/** What a file in a folder of chunks is; `undefined` for a stranger. */
export function parseChunkName(
  shard: string,
  name: string,
): { readonly hash: Uint8Array<ArrayBuffer>; readonly form: ChunkForm } | undefined {
  const key = name.slice(0, 2 * HASH_BYTES);
  const form = CHUNK_FORMS.find(({ suffix }) => name.slice(key.length) === suffix);
  const hash = form !== undefined && key.startsWith(shard) ? fromHex(key, HASH_BYTES) : undefined;
  // Upper case would be another file, which no look-up finds.
  return form === undefined || hash === undefined || /[A-F]/.test(key) ? undefined : { hash, form };
}
