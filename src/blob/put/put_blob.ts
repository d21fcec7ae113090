/**
 * Makes a blob of a stream, in whatever form (`dataforts.md` 3 to 6): chunks into a draft as they are cut, then
 * the nodes above them, then the record.
 *
 * Up to 16 GiB plain chunks become a Small or a Manifest, whose bytes are those of the core whether or not the
 * length was known before; beyond, and in every other form, a tree. Memory is the buffers of the cut, the
 * parity of one stripe, and what says which chunks there are.
 */
import { NetError } from "../../base/mod.ts";
import { blake3 } from "../../core/crypto/mod.ts";
import type { BlobDraft, StoredBlob } from "../blob_draft.ts";
import type { BlobRef, ChunkRef } from "../blob_ref.ts";
import type { ByteSource } from "../byte_source.ts";
import { refOfChunks } from "../chunker.ts";
import { chunkBytesMax } from "../cut/chunking.ts";
import { type Chunk, cutStream } from "../cut/cut_stream.ts";
import { BLOB_BYTES_MAX } from "../limits.ts";
import { type BuiltNode, createTreeBuilder, type TreeBuilder } from "../tree/tree_builder.ts";
import type { Stripe } from "../tree/tree_node.ts";
import { inlineWork, type WorkPool } from "../work/mod.ts";
import { ParityLine } from "./_parity_line.ts";
import { checkPutForm, isTreeForm, PLAIN_FORM, type PutForm } from "./put_form.ts";

/** Told of a chunk of the stream that is stored: its place among them, its hash and its size. */
export type OnStored = (index: number, chunk: ChunkRef) => void;

/** Options of {@linkcode putBlob}. */
export interface PutBlobFormOptions {
  /** {@linkcode PLAIN_FORM} when left out. */
  readonly form?: PutForm;
  /** Who hashes; all is done in line when left out. */
  readonly work?: WorkPool;
  /** Told the bytes read so far. */
  readonly onBytes?: (doneBytes: number) => void;
  /** Told of chunks of the stream, not of nodes and parity; in any order within a few. */
  readonly onStored?: OnStored;
  readonly signal?: AbortSignal;
}

/**
 * Puts everything `source` gives into `draft`, and commits it. Whoever began the draft aborts it when this
 * throws; nobody is at work on it any more then.
 *
 * @throws NetError `usage` when the form can't be put; whatever the source, the draft or the signal throws.
 */
export async function putBlob(
  source: ByteSource,
  draft: BlobDraft,
  options: PutBlobFormOptions = {},
): Promise<StoredBlob> {
  const { form = PLAIN_FORM, work = inlineWork(), onBytes, onStored, signal } = options;
  checkPutForm(form);
  const put = new BlobPut(draft, form, work);
  try {
    const { bytes, wholeHash } = await cutStream(source, {
      chunking: form.chunking,
      isWholeHashed: true,
      work,
      onCut: (chunk) => put.onCut(chunk),
      onChunk: async (chunk) => {
        await put.onChunk(chunk);
        onStored?.(chunk.index, { hash: chunk.hash, size: chunk.size });
      },
      onBytes,
      signal,
    });
    const address = wholeHash ?? blake3(new Uint8Array(0));
    const ref = await put.finish(bytes, address);
    signal?.throwIfAborted();
    return await draft.commit({ address, ref, size: bytes, chunks: put.chunks, kind: "blob" });
  } finally {
    await put.close();
  }
}

/** One blob on its way into a draft. */
class BlobPut {
  /** Every chunk, with nodes and parity. */
  readonly chunks: ChunkRef[] = [];
  readonly #draft: BlobDraft;
  readonly #builder: TreeBuilder;
  readonly #parity: ParityLine | undefined;
  /** Nodes of a tree that may not be needed: one for 512 MiB. */
  #waiting: BuiltNode[] = [];
  #isTree: boolean;
  #bytes = 0;

  constructor(draft: BlobDraft, form: PutForm, work: WorkPool) {
    this.#draft = draft;
    this.#isTree = isTreeForm(form);
    this.#builder = createTreeBuilder(form.encoding);
    if (form.encoding.kind === "replicated") return;
    const { data, parity } = form.encoding;
    this.#parity = new ParityLine({
      code: { data, parity },
      chunkBytesMax: chunkBytesMax(form.chunking),
      work,
      putParity: (hash, bytes) => draft.putChunk(hash, bytes),
      onStripe: (stripe) => this.#addStripe(stripe),
    });
  }

  onCut({ hash, size }: Chunk): void {
    this.#bytes += size;
    if (this.#bytes > BLOB_BYTES_MAX) this.#isTree = true;
    if (this.#parity !== undefined) return;
    this.chunks.push({ hash, size });
    this.#waiting.push(...this.#builder.addChunk({ hash, size }));
  }

  async onChunk({ hash, bytes }: Chunk): Promise<void> {
    const steps: Promise<unknown>[] = [this.#draft.putChunk(hash, bytes)];
    if (this.#parity !== undefined) steps.push(this.#parity.add(hash, bytes));
    if (this.#isTree) steps.push(this.#putNodes(this.#waiting.splice(0)));
    // The bytes are in use until all of them are done.
    const failed = (await Promise.allSettled(steps)).find(({ status }) => status === "rejected");
    if (failed?.status === "rejected") throw failed.reason;
  }

  /** The reference, when everything it needs is in the draft. */
  async finish(bytes: number, wholeHash: Uint8Array): Promise<BlobRef> {
    await this.#parity?.finish();
    if (bytes === 0) {
      await this.#draft.putChunk(wholeHash, new Uint8Array(0));
      this.chunks.push({ hash: wholeHash, size: 0 });
    }
    if (bytes === 0 || !this.#isTree) {
      return refOfChunks({ wholeHash, chunks: this.chunks, size: bytes });
    }
    const { ref, nodes } = this.#builder.finish();
    await this.#putNodes([...this.#waiting.splice(0), ...nodes]);
    if (ref.size === BigInt(bytes)) return ref;
    throw new NetError("internal", `Cannot put blob: its tree has ${ref.size} of ${bytes} bytes`);
  }

  /** Waits until nothing of this is at work. */
  async close(): Promise<void> {
    await this.#parity?.close();
  }

  async #addStripe(stripe: Stripe): Promise<void> {
    for (const { hash, size } of stripe.chunks) this.chunks.push({ hash, size });
    await this.#putNodes(this.#builder.addStripe(stripe));
  }

  async #putNodes(nodes: readonly BuiltNode[]): Promise<void> {
    for (const { hash, bytes } of nodes) {
      this.chunks.push({ hash, size: bytes.length });
      await this.#draft.putChunk(hash, bytes);
    }
  }
}
