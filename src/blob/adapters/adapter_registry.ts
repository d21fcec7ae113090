/**
 * Adapters by their id, and payloads through them (`dataforts.md` 8): publishing gives a reference that goes
 * on a channel in place of the bytes, resolving gives the bytes of a payload, whichever of the two it is.
 *
 * The scheme of a reference must be one of the adapter's: who may write the configuration of a channel cannot
 * have a reference read from elsewhere.
 */
import { equalBytes } from "../../base/mod.ts";
import { blake3 } from "../../core/crypto/mod.ts";
import { type BlobRef, decodeBlobRef, encodeBlobRef, isBlobRef } from "../blob_ref.ts";
import { BLOB_BYTES_MAX } from "../limits.ts";
import { type BlobAdapter, BlobAdapterError, blobHashMismatch, requireScheme } from "./adapter.ts";

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
   * Stores bytes as one piece, whatever their size, and gives the encoded reference to be published.
   *
   * @throws BlobAdapterError of the adapter, `unsupported_scheme`, `adapter_not_registered`, `limit`.
   */
  async publish(id: string, uri: string, bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    const adapter = this.get(id);
    requireScheme(adapter, uri);
    if (bytes.length > BLOB_BYTES_MAX) {
      throw new BlobAdapterError(
        "limit",
        `Cannot publish blob: it has ${bytes.length} bytes, must have at most ${BLOB_BYTES_MAX}`,
      );
    }
    const ref: BlobRef = { kind: "small", uri, hash: blake3(bytes), size: bytes.length };
    await adapter.store(ref, bytes);
    return encodeBlobRef(ref);
  }

  /**
   * The bytes of a payload: itself, or what it refers to, verified.
   *
   * @throws BlobAdapterError `decode` for a reference that cannot be read, and as {@linkcode AdapterRegistry.publish}.
   */
  async resolve(id: string, payload: Uint8Array): Promise<Uint8Array> {
    const adapter = this.get(id);
    if (!isBlobRef(payload)) return payload;
    const decoded = decodeBlobRef(payload);
    if (!decoded.ok) {
      throw new BlobAdapterError("decode", `Cannot read blob reference: ${decoded.fault}`);
    }
    const { ref } = decoded;
    requireScheme(adapter, ref.uri);
    if (ref.kind === "tree") {
      throw new BlobAdapterError("small_only", "Cannot resolve a tree at once: read a range of it");
    }
    const bytes = await adapter.fetch(ref);
    verifyBlob(ref, bytes);
    return bytes;
  }
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
