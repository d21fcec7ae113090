/**
 * Adapters by their id, and payloads through them (`dataforts.md` 8): publishing gives a reference that goes
 * on a channel in place of the bytes, resolving gives the bytes of a payload, whichever of the two it is.
 *
 * A node reads a reference with the adapter of its scheme, whatever a channel is told to publish with: who may
 * write the configuration of a channel cannot have a reference read from elsewhere. Where an adapter is named all
 * the same, the scheme must be one of its own.
 */
import { equalBytes } from "../../base/mod.ts";
import { blake3 } from "../../core/crypto/mod.ts";
import { type BlobRef, decodeBlobRef, encodeBlobRef, isBlobRef } from "../blob_ref.ts";
import { BLOB_BYTES_MAX } from "../limits.ts";
import {
  type AdapterCallOptions,
  type BlobAdapter,
  BlobAdapterError,
  blobHashMismatch,
  requireScheme,
  schemeOf,
  showUri,
} from "./adapter.ts";

/** Adapters of one node; one takes a few objects. */
export const ADAPTERS_MAX = 256;

/**
 * A table of adapters; a channel may have one of its own.
 *
 * @example
 * ```ts
 * import { AdapterRegistry } from "./adapter_registry.ts";
 * const registry = new AdapterRegistry();
 * const inline = new TextEncoder().encode("just bytes");
 * console.assert(await registry.resolve("disk", inline).catch(() => "unknown") === "unknown");
 * ```
 */
export class AdapterRegistry {
  readonly #adapters = new Map<string, BlobAdapter>();

  /** Ids, in the order of registration. */
  get ids(): readonly string[] {
    return [...this.#adapters.keys()];
  }

  /** @throws BlobAdapterError `duplicate_adapter_id`, `limit`. */
  register(adapter: BlobAdapter): void {
    const { id } = adapter;
    if (this.#adapters.has(id)) {
      throw new BlobAdapterError(
        "duplicate_adapter_id",
        `Cannot register adapter "${id}": there is one of this name`,
        { next: "take another name, or remove that one first" },
      );
    }
    if (this.#adapters.size >= ADAPTERS_MAX) {
      throw new BlobAdapterError(
        "limit",
        `Cannot register adapter "${id}": there are ${ADAPTERS_MAX} others, which is the most`,
      );
    }
    this.#adapters.set(id, adapter);
  }

  /** True when it was there. */
  unregister(id: string): boolean {
    return this.#adapters.delete(id);
  }

  /** @throws BlobAdapterError `adapter_not_registered`. */
  get(id: string): BlobAdapter {
    const adapter = this.#adapters.get(id);
    if (adapter !== undefined) return adapter;
    throw new BlobAdapterError(
      "adapter_not_registered",
      `Cannot use adapter "${id}": it is not registered`,
      { next: `register it first; there are ${this.ids.join(", ") || "none"}` },
    );
  }

  /**
   * The adapter that reads the references of a URI's scheme: the first one registered for it. One that takes every
   * scheme is never chosen.
   *
   * @throws BlobAdapterError `unsupported_scheme`.
   */
  forUri(uri: string): BlobAdapter {
    const scheme = schemeOf(uri);
    for (const adapter of this.#adapters.values()) {
      if (scheme !== undefined && adapter.schemes.includes(scheme)) return adapter;
    }
    const schemes = [...this.#adapters.values()].flatMap((adapter) => adapter.schemes);
    throw new BlobAdapterError(
      "unsupported_scheme",
      `Cannot read "${showUri(uri)}": no adapter takes its scheme`,
      { next: `register one for it; there are ${[...new Set(schemes)].join(", ") || "none"}` },
    );
  }

  /**
   * Stores bytes as one piece, whatever their size, and gives the encoded reference to be published.
   *
   * @throws BlobAdapterError of the adapter, `unsupported_scheme`, `adapter_not_registered`, `limit`.
   */
  async publish(
    id: string,
    uri: string,
    bytes: Uint8Array,
    options?: AdapterCallOptions,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const adapter = this.get(id);
    requireScheme(adapter, uri);
    if (bytes.length > BLOB_BYTES_MAX) {
      throw new BlobAdapterError(
        "limit",
        `Cannot publish blob: it has ${bytes.length} bytes, must have at most ${BLOB_BYTES_MAX}`,
      );
    }
    const ref: BlobRef = { kind: "small", uri, hash: blake3(bytes), size: bytes.length };
    await adapter.store(ref, bytes, options);
    return encodeBlobRef(ref);
  }

  /**
   * The bytes of a payload: itself, or what it refers to, verified, through the adapter of that name.
   *
   * @throws BlobAdapterError `decode` for a reference that cannot be read, and as {@linkcode AdapterRegistry.publish}.
   */
  async resolve(
    id: string,
    payload: Uint8Array,
    options?: AdapterCallOptions,
  ): Promise<Uint8Array> {
    const adapter = this.get(id);
    const ref = readPayload(payload);
    if (ref === undefined) return payload;
    requireScheme(adapter, ref.uri);
    return await fetchVerified(adapter, ref, options);
  }

  /**
   * The bytes of a payload: itself, or what it refers to, verified, through the adapter of the reference's scheme.
   *
   * @throws BlobAdapterError `decode`, `unsupported_scheme`, `small_only` for a tree; those of the adapter.
   */
  async resolveByScheme(payload: Uint8Array, options?: AdapterCallOptions): Promise<Uint8Array> {
    const ref = readPayload(payload);
    return ref === undefined ? payload : await fetchVerified(this.forUri(ref.uri), ref, options);
  }
}

/**
 * The reference in a payload; `undefined` when it is none and stands for itself.
 *
 * @throws BlobAdapterError `decode` for one that begins like a reference and is none.
 */
export function readPayload(payload: Uint8Array): BlobRef | undefined {
  if (!isBlobRef(payload)) return undefined;
  const decoded = decodeBlobRef(payload);
  if (decoded.ok) return decoded.ref;
  throw new BlobAdapterError("decode", `Cannot read blob reference: ${decoded.fault}`);
}

async function fetchVerified(
  adapter: BlobAdapter,
  ref: BlobRef,
  options: AdapterCallOptions | undefined,
): Promise<Uint8Array> {
  if (ref.kind === "tree") {
    throw new BlobAdapterError("small_only", "Cannot resolve a tree at once: read a range of it");
  }
  const bytes = await adapter.fetch(ref, options);
  // Adapters of others may say anything.
  verifyBlob(ref, bytes);
  return bytes;
}

/** @throws BlobAdapterError `hash_mismatch` when the bytes are not those of the reference. */
function verifyBlob(ref: Exclude<BlobRef, { readonly kind: "tree" }>, bytes: Uint8Array): void {
  // The size of a small reference says nothing; its hash does.
  const chunks = ref.kind === "small" ? [{ hash: ref.hash, size: bytes.length }] : ref.chunks;
  let at = 0;
  for (const { hash, size } of chunks) {
    const actual = blake3(bytes.subarray(at, at + size));
    if (!equalBytes(actual, hash)) throw blobHashMismatch(hash, actual);
    at += size;
  }
  if (at === bytes.length) return;
  throw new BlobAdapterError(
    "decode",
    `Cannot use blob: it has ${bytes.length} bytes, its chunks have ${at}`,
  );
}
