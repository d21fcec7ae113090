/**
 * What a blob is put as: how it is cut, how it is protected, and whether its chunks are listed in a tree
 * (`dataforts.md` 3 to 6, `promises.md` 57).
 */
import { NetError } from "../../base/mod.ts";
import {
  chunkBytesMax,
  type Chunking,
  CONTENT_DEFINED_CHUNKING,
  FIXED_CHUNKING,
} from "../cut/chunking.ts";
import { type BlobEncoding, REPLICATED } from "../encoding.ts";
import { CHUNK_BYTES, TREE_FAN_OUT } from "../limits.ts";
import type { DataPolicy } from "../policy/data_policy.ts";

/** The form of a blob. */
export interface PutForm {
  readonly chunking: Chunking;
  readonly encoding: BlobEncoding;
  /**
   * True lists the chunks in a tree, whatever the size. What is cut by content or has parity is always a tree,
   * and so is everything above 16 GiB.
   */
  readonly isTree?: boolean;
}

/** Small, Manifest, or a tree above 16 GiB: what every node reads. */
export const PLAIN_FORM: PutForm = { chunking: FIXED_CHUNKING, encoding: REPLICATED };

/** The form that a policy gives to blobs that are put without asking for one. */
export function putFormOf({ put }: Pick<DataPolicy, "put">): PutForm {
  const { chunking, dataChunks: data, parityChunks: parity } = put;
  return {
    chunking: chunking === "fixed" ? FIXED_CHUNKING : CONTENT_DEFINED_CHUNKING,
    encoding: data === 0 ? REPLICATED : { kind: "reed_solomon", data, parity },
  };
}

/** Room for the parity of one stripe while it grows; 8 chunks of 16 MiB or 32 of 4 MiB. */
export const PARITY_BYTES_MAX = 128 * 1024 * 1024;

/** True when a blob of this form is a tree whatever its size. */
export function isTreeForm({ chunking, encoding, isTree = false }: PutForm): boolean {
  const isPlainCut = chunking.kind === "fixed" && chunking.chunkBytes === CHUNK_BYTES;
  return isTree || !isPlainCut || encoding.kind === "reed_solomon";
}

/**
 * Checks that a form can be put.
 *
 * @throws NetError `usage` for a code that has no place in a tree, or whose parity takes too much memory.
 */
export function checkPutForm({ chunking, encoding }: PutForm): void {
  if (encoding.kind === "replicated") return;
  const { data, parity } = encoding;
  const code = `${data}+${parity}`;
  const parityMax = Math.floor(PARITY_BYTES_MAX / chunkBytesMax(chunking));
  if (!(data >= 1 && parity >= 1 && data + parity <= TREE_FAN_OUT)) {
    throw new NetError(
      "usage",
      `Cannot put with parity ${code}: it must be at least 1+1, and at most ${TREE_FAN_OUT} in all`,
      { next: "give for example 10+4" },
    );
  }
  if (parity > parityMax) {
    throw new NetError(
      "usage",
      `Cannot put with parity ${code}: these chunks allow at most ${parityMax} parity chunks`,
      { next: "give for example 10+4" },
    );
  }
}

/** Options of {@linkcode parsePutForm}. */
export interface PutFormWords {
  /** Cut by content. */
  readonly cdc?: boolean;
  /** `10+4`: ten data chunks and four parity chunks; `none` for copies alone. */
  readonly ec?: string;
}

/**
 * The form that words ask for, on top of `form`.
 *
 * @throws NetError `usage` as {@linkcode checkPutForm}, and when the code is not two numbers.
 *
 * @example
 * ```ts
 * import { isTreeForm, parsePutForm, PLAIN_FORM } from "./put_form.ts";
 * console.assert(isTreeForm(parsePutForm(PLAIN_FORM, { cdc: true, ec: "10+4" })));
 * ```
 */
export function parsePutForm(form: PutForm, { cdc, ec }: PutFormWords): PutForm {
  const chunking = cdc === undefined
    ? form.chunking
    : cdc
    ? CONTENT_DEFINED_CHUNKING
    : FIXED_CHUNKING;
  const parsed = { ...form, chunking, encoding: ec === undefined ? form.encoding : parseCode(ec) };
  checkPutForm(parsed);
  return parsed;
}

/** `10+4`, or `none`. */
export function formatEncoding(encoding: BlobEncoding): string {
  return encoding.kind === "replicated" ? "none" : `${encoding.data}+${encoding.parity}`;
}

function parseCode(text: string): BlobEncoding {
  if (text === "none") return REPLICATED;
  const [, data, parity] = /^(\d{1,3})\+(\d{1,3})$/.exec(text) ?? [];
  if (data !== undefined && parity !== undefined) {
    return { kind: "reed_solomon", data: Number(data), parity: Number(parity) };
  }
  throw new NetError(
    "usage",
    `Cannot read parity "${text.slice(0, 32)}": must be two numbers such as 10+4, or none`,
    { next: "give the number of data chunks, a plus, and the number of parity chunks" },
  );
}
