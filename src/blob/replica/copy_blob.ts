/**
 * Takes a blob into the store completely, from here where its chunks are and from others where they are not:
 * every chunk, every node of its tree, its parity, and for a folder the content of its files (promise 55).
 *
 * Everything is verified again, also what is here already, and the whole against the address where that is the
 * hash of the whole. What came stays in the store when it ends early: the next try goes on from there. Of what turned
 * out not to be what was announced nothing stays: whoever asks must not fill a disk with it.
 */
import { concatBytes, equalBytes, NetError } from "../../base/mod.ts";
import { createBlake3 } from "../../core/crypto/mod.ts";
import { readAhead } from "../_read_ahead.ts";
import type { BlobDraft, StoredBlob } from "../blob_draft.ts";
import { type BlobRef, type ChunkRef, decodeBlobRef, type TreeRef } from "../blob_ref.ts";
import type { BlobStore } from "../blob_store.ts";
import { decodeDirManifest } from "../directory/dir_manifest.ts";
import { DIR_MANIFEST_BYTES_MAX, GET_CHUNKS_MAX, TREE_NODE_BYTES_MAX } from "../limits.ts";
import { dataChunks, type LeafChunk, type TreeNode } from "../tree/tree_node.ts";
import { walkTreeNodes } from "../tree/tree_walk.ts";
import { COPY_CHUNKS_MAX } from "./limits.ts";

/** What {@linkcode copyBlob} needs. */
export interface CopyBlobDeps {
  readonly store: Pick<BlobStore, "begin" | "readChunk">;
  /** Gets a chunk from others, verified. */
  readonly fetch: FetchPart;
}

/** Gets the chunk with this hash; `expectedBytes` is what it must measure, where that is known. */
export type FetchPart = (
  hash: Uint8Array,
  options: { readonly expectedBytes?: number; readonly signal: AbortSignal },
) => Promise<Uint8Array>;

/** What is to be taken. */
export interface CopyBlobOptions {
  readonly address: Uint8Array;
  readonly ref: BlobRef;
  readonly isDirectory: boolean;
  /** Bytes that may come to the store; who asked said that it takes so many. */
  readonly bytesMax: number;
  /** Told of the bytes that are there, those of nodes and parity included. */
  readonly onBytes?: (doneBytes: number) => void;
  readonly signal: AbortSignal;
}

/** A chunk to be had; the size of a node is not known before. */
interface Part {
  readonly hash: Uint8Array;
  readonly size: number | undefined;
}

/**
 * Takes a blob; when this resolves all of it is durable and recorded as a copy.
 *
 * @throws NetError `integrity` when the whole is not what the address says or the reference leads to what is
 * none; what `fetch` and the store throw; the signal's reason.
 */
export async function copyBlob(deps: CopyBlobDeps, options: CopyBlobOptions): Promise<StoredBlob> {
  const draft = deps.store.begin({ origin: "replica" });
  try {
    const copier = new BlobCopier(deps, options, draft);
    return await copier.run();
  } catch (error) {
    await draft.abort({ keepChunks: !(error instanceof NotWhole) });
    throw error;
  }
}

class BlobCopier {
  readonly #deps: CopyBlobDeps;
  readonly #options: CopyBlobOptions;
  readonly #draft: BlobDraft;
  readonly #chunks: ChunkRef[] = [];
  #doneBytes = 0;
  /** Bytes that came to the store. */
  #takenBytes = 0;

  constructor(deps: CopyBlobDeps, options: CopyBlobOptions, draft: BlobDraft) {
    this.#deps = deps;
    this.#options = options;
    this.#draft = draft;
  }

  async run(): Promise<StoredBlob> {
    const { address, ref, isDirectory, signal } = this.#options;
    const whole = createBlake3();
    const manifest: Uint8Array[] = [];
    if (isDirectory && ref.size > DIR_MANIFEST_BYTES_MAX) {
      throw notWhole("the manifest is too long");
    }
    await this.#take(ref, (bytes) => {
      whole.update(bytes);
      if (isDirectory) manifest.push(bytes.slice());
    });
    // The root of a tree proves all below it; anything else is named by the hash of its bytes.
    const isRoot = ref.kind === "tree" && equalBytes(ref.rootHash, address);
    if (!isRoot && !equalBytes(whole.digest(), address)) {
      throw notWhole("its bytes have another hash");
    }
    if (isDirectory) await this.#takeFiles(manifest);
    signal.throwIfAborted();
    return await this.#draft.commit({
      address,
      ref,
      size: Number(ref.size),
      chunks: this.#chunks,
      kind: isDirectory ? "directory" : "blob",
    });
  }

  /** Takes everything that a reference leads to; `onData` is given the payload in order. */
  async #take(ref: BlobRef, onData: (bytes: Uint8Array) => void): Promise<void> {
    if (ref.kind === "tree") return await this.#takeTree(ref, onData);
    const parts = ref.kind === "manifest" ? ref.chunks : [{ hash: ref.hash, size: ref.size }];
    await this.#takeParts(parts, onData);
  }

  async #takeTree(ref: TreeRef, onData: (bytes: Uint8Array) => void): Promise<void> {
    const { signal } = this.#options;
    const readNode = async (hash: Uint8Array) => {
      const bytes = await this.#part({ hash, size: undefined }, signal);
      if (bytes.length > TREE_NODE_BYTES_MAX) throw notWhole("a node is too long");
      this.#note({ hash, size: bytes.length });
      return bytes;
    };
    for await (const { node } of walkTreeNodes(ref, { readNode, signal })) {
      for (const { chunks, isData } of leavesOf(node)) {
        await this.#takeParts(chunks, isData ? onData : () => {});
      }
    }
  }

  async #takeFiles(manifest: readonly Uint8Array[]): Promise<void> {
    const decoded = decodeDirManifest(concatBytes(...manifest));
    if (!decoded.ok) throw notWhole(`it is no manifest of a folder: ${decoded.fault}`);
    for (const entry of decoded.entries) {
      if (entry.kind !== "file") continue;
      const file = decodeBlobRef(entry.blob);
      if (!file.ok) throw notWhole("a file in it has no reference");
      await this.#take(file.ref, () => {});
    }
  }

  async #takeParts(parts: readonly Part[], onData: (bytes: Uint8Array) => void): Promise<void> {
    const read = (part: Part, abort: AbortSignal) => this.#part(part, abort);
    const { signal } = this.#options;
    const ahead = readAhead(parts, read, { itemsMax: GET_CHUNKS_MAX, signal });
    for await (const [part, bytes] of ahead) {
      if (part.size !== undefined && part.size !== 0 && part.size !== bytes.length) {
        throw notWhole("a chunk has another size than listed");
      }
      this.#note({ hash: part.hash, size: bytes.length });
      onData(bytes);
    }
  }

  #note(chunk: ChunkRef): void {
    if (this.#chunks.length >= COPY_CHUNKS_MAX) {
      throw new NetError("limit", `Cannot take copy: it has more than ${COPY_CHUNKS_MAX} chunks`);
    }
    this.#chunks.push(chunk);
    this.#doneBytes += chunk.size;
    this.#options.onBytes?.(this.#doneBytes);
  }

  /** A chunk that is in the draft now. */
  async #part({ hash, size }: Part, signal: AbortSignal): Promise<Uint8Array> {
    const { store, fetch } = this.#deps;
    if (await this.#draft.keepChunk(hash) !== undefined) {
      const here = await store.readChunk(hash);
      if (here !== undefined) return here;
    }
    const expectedBytes = size === 0 ? undefined : size;
    const bytes = await fetch(hash, { expectedBytes, signal });
    // The same content twice takes room once. What is on its way when it is too much is no more than a window.
    if (await this.#draft.putChunk(hash, bytes) === "stored") this.#takenBytes += bytes.length;
    const { bytesMax } = this.#options;
    if (this.#takenBytes > bytesMax) {
      throw notWhole(`it takes more than the ${bytesMax} bytes that were announced`);
    }
    return bytes;
  }
}

/** Chunks of a leaf in order, payload and parity apart. */
function* leavesOf(
  node: TreeNode,
): Generator<{ readonly chunks: readonly LeafChunk[]; readonly isData: boolean }> {
  if (node.kind === "internal") return;
  if (node.kind === "leaf") {
    yield { chunks: node.chunks, isData: true };
    return;
  }
  for (const stripe of node.stripes) {
    const data = dataChunks(stripe);
    yield { chunks: data, isData: true };
    const parity = stripe.chunks.slice(data.length);
    if (parity.length > 0) yield { chunks: parity, isData: false };
  }
}

/** It is not what was announced. */
class NotWhole extends NetError {}

function notWhole(why: string): NetError {
  return new NotWhole("integrity", `Cannot take copy of blob: ${why}`, {
    next: "take it from another node",
  });
}
