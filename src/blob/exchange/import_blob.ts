/**
 * Takes blobs out of a folder of chunks. Every chunk is checked by its hash, and a blob by that of the whole: what a
 * note claims, or a tree, is believed no further.
 */
import { equalBytes, NetError, toHex } from "../../base/mod.ts";
import { createBlake3 } from "../../core/crypto/mod.ts";
import { formatAddress, formatMeshUri } from "../address.ts";
import { type BlobRef, type ChunkRef, decodeBlobRef } from "../blob_ref.ts";
import type { BlobDraft, StoredBlob } from "../blob_draft.ts";
import type { BlobStore } from "../blob_store.ts";
import type { BlobKind } from "../queries.ts";
import { readBlob } from "../read/read_blob.ts";
import { readStripeChunk } from "../erasure/restore.ts";
import type { Stripe } from "../tree/tree_node.ts";
import { walkTreeNodes } from "../tree/tree_walk.ts";
import type { ChunkFolder } from "./chunk_folder.ts";

/** A blob to take. */
export interface ImportWish {
  readonly ref: BlobRef;
  /** What the whole must hash to, where that is known. */
  readonly address?: Uint8Array;
  readonly kind?: BlobKind;
  readonly label?: string;
  /** Chunks that belong to it and that its reference does not lead to: those of the files of a directory. */
  readonly extra?: readonly ChunkRef[];
}

/** Options of {@linkcode importBlob}. */
export interface ImportBlobOptions {
  readonly onBytes?: (doneBytes: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Stores a blob out of a folder; chunks that are not there may be here already.
 *
 * @throws NetError `not_found` when a chunk is nowhere, `integrity`, `no_space`; the signal's reason. Then nothing of
 * it is listed.
 */
export async function importBlob(
  blobs: Pick<BlobStore, "begin" | "readChunk">,
  folder: Pick<ChunkFolder, "read">,
  wish: ImportWish,
  options: ImportBlobOptions = {},
): Promise<StoredBlob> {
  const draft = blobs.begin({ label: wish.label });
  try {
    return await new Import(blobs, folder, draft, wish, options).run();
  } finally {
    await draft.abort();
  }
}

/** A chunk of a folder as a blob of its own, for one that nothing is known of. */
export function lonelyChunk(hash: Uint8Array, size: number): ImportWish {
  return { ref: { kind: "small", uri: formatMeshUri(hash), hash, size }, address: hash };
}

/**
 * The reference in a note, or as somebody gave it.
 *
 * @throws NetError `integrity` when it is none.
 */
export function requireRef(bytes: Uint8Array): BlobRef {
  const decoded = decodeBlobRef(bytes);
  if (decoded.ok) return decoded.ref;
  throw new NetError(
    "integrity",
    `Cannot import blob: its reference is damaged: ${decoded.fault}`,
    {
      next: "export the blob again",
    },
  );
}

class Import {
  readonly #blobs: Pick<BlobStore, "readChunk">;
  readonly #folder: Pick<ChunkFolder, "read">;
  readonly #draft: BlobDraft;
  readonly #wish: ImportWish;
  readonly #options: ImportBlobOptions;

  constructor(
    blobs: Pick<BlobStore, "readChunk">,
    folder: Pick<ChunkFolder, "read">,
    draft: BlobDraft,
    wish: ImportWish,
    options: ImportBlobOptions,
  ) {
    this.#blobs = blobs;
    this.#folder = folder;
    this.#draft = draft;
    this.#wish = wish;
    this.#options = options;
  }

  async run(): Promise<StoredBlob> {
    const { ref, kind = "blob", extra = [] } = this.#wish;
    const { signal, onBytes } = this.#options;
    const whole = createBlake3();
    let size = 0;
    const reader = { read: (hash: Uint8Array) => this.#take(hash) };
    for await (const { bytes } of readBlob(ref, { reader, signal })) {
      whole.update(bytes);
      size += bytes.length;
      onBytes?.(size);
    }
    const address = whole.digest();
    const wanted = this.#wish.address;
    if (wanted !== undefined && !equalBytes(wanted, address)) {
      throw new NetError(
        "integrity",
        `Cannot import ${formatAddress(wanted)}: its chunks make ${formatAddress(address)}`,
        { next: "export the blob again" },
      );
    }
    const chunks = await this.#chunksOf(ref);
    const known = new Set(chunks.map(({ hash }) => toHex(hash)));
    for (const { hash } of extra) {
      const key = toHex(hash);
      if (known.has(key)) continue;
      known.add(key);
      const bytes = await this.#take(hash);
      if (bytes === undefined) throw missing(hash);
      chunks.push({ hash, size: bytes.length });
    }
    return await this.#draft.commit({ address, ref, size, chunks, kind });
  }

  /** A chunk, which is in the draft then. */
  async #take(hash: Uint8Array): Promise<Uint8Array | undefined> {
    this.#options.signal?.throwIfAborted();
    const bytes = await this.#folder.read(hash);
    if (bytes !== undefined) {
      await this.#draft.putChunk(hash, bytes);
      return bytes;
    }
    if (await this.#draft.keepChunk(hash) === undefined) return undefined;
    return await this.#blobs.readChunk(hash, undefined, { isQuiet: true });
  }

  /** What the reference leads to, in order. */
  async #chunksOf(ref: BlobRef): Promise<ChunkRef[]> {
    if (ref.kind === "small") {
      const size = (await this.#blobs.readChunk(ref.hash, undefined, { isQuiet: true }))?.length;
      if (size === undefined) throw missing(ref.hash);
      return [{ hash: ref.hash, size }];
    }
    if (ref.kind === "manifest") return [...ref.chunks];
    const chunks: ChunkRef[] = [];
    const { signal } = this.#options;
    let nodeBytes = 0;
    const readNode = async (hash: Uint8Array) => {
      const bytes = await this.#take(hash);
      nodeBytes = bytes?.length ?? 0;
      return bytes;
    };
    for await (const { hash, node } of walkTreeNodes(ref, { readNode, signal })) {
      if (node.kind === "leaf") chunks.push(...node.chunks);
      if (node.kind === "erasure_leaf") {
        for (const stripe of node.stripes) chunks.push(...await this.#stripe(stripe));
      }
      chunks.push({ hash, size: nodeBytes });
    }
    return chunks;
  }

  /** The chunks of a stripe; data that is lost is made from the others, parity may be left out. */
  async #stripe(stripe: Stripe): Promise<ChunkRef[]> {
    const { signal } = this.#options;
    const chunks: ChunkRef[] = [];
    const dataCount = stripe.encoding.kind === "replicated" ? Infinity : stripe.encoding.data;
    for (const [index, { hash, size }] of stripe.chunks.entries()) {
      if (await this.#take(hash) === undefined) {
        if (index >= dataCount) continue; // A repair makes it again.
        const readChunk = (chunk: { readonly hash: Uint8Array }) => this.#take(chunk.hash);
        await this.#draft.putChunk(
          hash,
          await readStripeChunk(stripe, index, { readChunk, signal }),
        );
      }
      chunks.push({ hash, size });
    }
    return chunks;
  }
}

function missing(hash: Uint8Array): NetError {
  return new NetError(
    "not_found",
    `Cannot import blob: chunk ${toHex(hash)} is not in the folder`,
    {
      next: "export the blob again, as a whole",
    },
  );
}
