/**
 * Addresses of blobs as text: `b3:` and `mesh://` with 64 hex digits, and references in hex
 * (`dataforts.md` 1).
 */
import { fromHex, NetError, toHex } from "../base/mod.ts";
import { BLOB_REF_BYTES_MAX, type BlobRef, decodeBlobRef, isBlobRef } from "./blob_ref.ts";
import { HASH_BYTES } from "./limits.ts";

/** A blob named by the BLAKE3 of its whole payload. */
export interface BlobAddress {
  readonly kind: "address";
  /** 32 bytes. */
  readonly hash: Uint8Array;
}

/** What a blob may be asked for by. */
export type BlobTarget = BlobAddress | BlobRef;

/** `b3:` and 64 lower-case hex digits. */
export function formatAddress(hash: Uint8Array): string {
  return `b3:${toHex(hash)}`;
}

/** `mesh://` and 64 lower-case hex digits: the URI inside references. */
export function formatMeshUri(hash: Uint8Array): string {
  return `mesh://${toHex(hash)}`;
}

/** Hash of a `b3:…` or `mesh://…` text with 64 lower-case hex digits; `undefined` when it is neither. */
export function parseAddress(text: string): Uint8Array | undefined {
  const digits = /^(?:b3:|mesh:\/\/)([0-9a-f]{64})$/.exec(text)?.[1];
  return digits === undefined ? undefined : fromHex(digits, HASH_BYTES);
}

/**
 * What the user named: `b3:…`, `mesh://…`, a bare hash, or an encoded reference in hex; white space
 * around it, upper-case digits and a leading `0x` are taken.
 *
 * @throws NetError `usage` when it is none of them.
 */
export function parseBlobTarget(text: string): BlobTarget {
  const cleaned = text.trim().toLowerCase().replace(/^0x/, "");
  const hash = parseAddress(cleaned) ?? fromHex(cleaned, HASH_BYTES);
  if (hash !== undefined) return { kind: "address", hash };
  const bytes = cleaned.length <= BLOB_REF_BYTES_MAX * 2 ? fromHex(cleaned) : undefined;
  if (bytes === undefined || !isBlobRef(bytes)) {
    throw new NetError(
      "usage",
      `Cannot read blob target "${text.slice(0, 100)}": must be b3: and 64 hex digits, or a blob ` +
        "reference in hex",
      { next: "list what is here with net blob ls" },
    );
  }
  const decoded = decodeBlobRef(bytes);
  if (decoded.ok) return decoded.ref;
  const { fault, version } = decoded;
  throw new NetError(
    "usage",
    `Cannot read blob reference: ${fault}${version === undefined ? "" : ` ${version}`}`,
    { next: "copy the whole reference, as net blob put printed it" },
  );
}

/** Short text for messages: the address, or the URI of a reference. */
export function describeTarget(target: BlobTarget): string {
  if (target.kind === "address") return formatAddress(target.hash);
  if (target.kind === "small") return formatAddress(target.hash);
  const hash = parseAddress(target.uri);
  return hash === undefined ? target.uri.slice(0, 256) : formatAddress(hash);
}
