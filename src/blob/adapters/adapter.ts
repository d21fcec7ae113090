/** What an adapter is: a store of blobs that a node can be told to use (`dataforts.md` 8), and how one fails. */
import { type ErrorCode, NetError, toHex } from "../../base/mod.ts";
import type { BlobRef, SmallRef } from "../blob_ref.ts";
import type { ByteSource } from "../byte_source.ts";

const CODES = {
  duplicate_adapter_id: "conflict",
  adapter_not_registered: "config_invalid",
  /** A channel that nobody chose an adapter for. */
  adapter_not_configured: "config_invalid",
  unsupported_scheme: "usage",
  /** The adapter stores blobs of one piece only. */
  small_only: "usage",
  not_found: "not_found",
  hash_mismatch: "integrity",
  /** A range that the blob has not. */
  range: "usage",
  decode: "integrity",
  limit: "limit",
  /** The store refuses who asks. */
  unauthorized: "not_allowed",
  timeout: "timeout",
  backend: "failed",
} as const satisfies Record<string, ErrorCode>;

/** Kinds of {@linkcode BlobAdapterError}. */
export type BlobAdapterErrorKind = keyof typeof CODES;

/** A call to an adapter that failed. */
export class BlobAdapterError extends NetError {
  readonly kind: BlobAdapterErrorKind;

  constructor(
    kind: BlobAdapterErrorKind,
    message: string,
    details: { readonly cause?: unknown; readonly next?: string } = {},
  ) {
    super(CODES[kind], message, { ...details, data: { kind } });
    this.kind = kind;
  }
}

/** Options of every call. */
export interface AdapterCallOptions {
  readonly signal?: AbortSignal;
}

/** A store of blobs; every call may fail with {@linkcode BlobAdapterError}. */
export interface BlobAdapter {
  readonly id: string;
  /** Schemes of the URIs it takes; none means all. */
  readonly schemes: readonly string[];
  /** Stores a blob that has the reference's hash; one that is there already is well. */
  store(ref: BlobRef, bytes: Uint8Array, options?: AdapterCallOptions): Promise<void>;
  /** The whole blob, verified. */
  fetch(ref: BlobRef, options?: AdapterCallOptions): Promise<Uint8Array<ArrayBuffer>>;
  /** Bytes from `start` up to, not with, `end`, of a verified blob. */
  fetchRange(
    ref: BlobRef,
    start: number,
    end: number,
    options?: AdapterCallOptions,
  ): Promise<Uint8Array<ArrayBuffer>>;
  exists(ref: BlobRef, options?: AdapterCallOptions): Promise<boolean>;
  /** One that is not there is well. */
  delete(ref: BlobRef, options?: AdapterCallOptions): Promise<void>;
  /**
   * Stores a blob piece by piece; nothing is to be seen of it before its hash was right. Where it is missing
   * {@linkcode storeFrom} collects the pieces.
   */
  storeStream?(ref: SmallRef, source: ByteSource, options?: AdapterCallOptions): Promise<void>;
  /** The blob piece by piece; it ends with an error when the whole is not right. */
  fetchStream?(ref: BlobRef, options?: AdapterCallOptions): AsyncIterable<Uint8Array>;
  /** Removes what interrupted calls left behind; how much of it. For quiet times. */
  sweep?(options?: AdapterCallOptions): Promise<number>;
}

const URI_BYTES_SHOWN = 256;

/** The scheme of a URI: what is before the first colon; `undefined` without one. */
export function schemeOf(uri: string): string | undefined {
  const colon = uri.indexOf(":");
  return colon < 0 ? undefined : uri.slice(0, colon);
}

/** @throws BlobAdapterError `unsupported_scheme`. */
export function requireScheme(adapter: BlobAdapter, uri: string): void {
  const { schemes } = adapter;
  if (schemes.length === 0 || schemes.includes(schemeOf(uri) ?? "")) return;
  throw new BlobAdapterError(
    "unsupported_scheme",
    `Cannot use "${showUri(uri)}" with adapter "${adapter.id}": must begin with ` +
      schemes.map((scheme) => `${scheme}:`).join(" or "),
    { next: "choose the adapter of that scheme, or write the URI with another one" },
  );
}

/** A URI as it may be printed: at most 256 bytes, without control characters. */
export function showUri(uri: string): string {
  let shown = "";
  let bytes = 0;
  for (const letter of uri) {
    const code = letter.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (bytes > URI_BYTES_SHOWN) return `${shown}…`;
    const isControl = code < 0x20 || (code >= 0x7f && code < 0xa0);
    shown += isControl ? `\\x${code.toString(16).padStart(2, "0")}` : letter;
  }
  return shown;
}

/**
 * The only kind of reference that a store of whole blobs takes.
 *
 * @throws BlobAdapterError `small_only`.
 */
export function requireSmall(ref: BlobRef, store: string): SmallRef {
  if (ref.kind === "small") return ref;
  throw new BlobAdapterError(
    "small_only",
    `Cannot use a ${ref.kind} with ${store}: only blobs of one piece are stored`,
    { next: "use the mesh's own store for it" },
  );
}

/**
 * Looks at a range of a blob with `size` bytes; an empty one is in every blob.
 *
 * @throws BlobAdapterError `range`.
 */
export function requireRange(start: number, end: number, size = Infinity): void {
  if (start >= 0 && start === end) return;
  if (start >= 0 && start < end && end <= size) return;
  throw new BlobAdapterError(
    "range",
    `Cannot read bytes ${start}..${end}: ` +
      (start >= 0 && start < end ? `the blob has ${size} bytes` : "end is before start"),
  );
}

/** The error of a blob that is not there. */
export function blobNotFound(ref: BlobRef): BlobAdapterError {
  return new BlobAdapterError("not_found", `Cannot fetch blob: there is no "${showUri(ref.uri)}"`, {
    next: "store it first, or ask the node that published it",
  });
}

/** The error of bytes that are not those of the reference. */
export function blobHashMismatch(expected: Uint8Array, actual: Uint8Array): BlobAdapterError {
  return new BlobAdapterError(
    "hash_mismatch",
    `Cannot use blob: its hash is ${toHex(actual)}, must be ${toHex(expected)}`,
    { next: "store the blob again from a good copy" },
  );
}
