/**
 * Parity of the chunks of a stream, stripe after stripe (`dataforts.md` 6), made by whoever does the work.
 *
 * Steps run one after the other, in the order in which chunks are added. There is room for the parity of one
 * stripe: the next one begins when it is stored. `createStripeBuilder` is the same for bytes in memory.
 */
import { REPLICATED } from "../encoding.ts";
import { parityRows, type StripeCode } from "../erasure/matrix.ts";
import type { LeafChunk, Stripe } from "../tree/tree_node.ts";
import type { WorkPool } from "../work/mod.ts";

/** What {@linkcode ParityLine} needs. */
export interface ParityLineDeps {
  readonly code: StripeCode;
  /** Length of the longest chunk. */
  readonly chunkBytesMax: number;
  readonly work: WorkPool;
  /** Stores a parity chunk; its bytes are valid until the promise settles. */
  readonly putParity: (hash: Uint8Array, bytes: Uint8Array) => Promise<unknown>;
  /** Takes a stripe whose parity is stored. */
  readonly onStripe: (stripe: Stripe) => Promise<void>;
}

/** The stripes of one stream. */
export class ParityLine {
  readonly #deps: ParityLineDeps;
  /** For each data chunk what it is multiplied with, parity by parity. */
  readonly #columns: readonly Uint8Array<ArrayBuffer>[];
  readonly #parity: readonly Uint8Array[];
  #chunks: LeafChunk[] = [];
  /** Length of the parity so far: that of the longest chunk. */
  #length = 0;
  #tail: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;

  constructor(deps: ParityLineDeps) {
    const rows = parityRows(deps.code);
    this.#deps = deps;
    this.#columns = Array.from(
      { length: deps.code.data },
      (_, column) => Uint8Array.from(rows, (row) => row[column] ?? 0),
    );
    this.#parity = rows.map(() => deps.work.takeBuffer(deps.chunkBytesMax));
  }

  /** Adds the next chunk; its bytes are needed until this resolves. */
  add(hash: Uint8Array, bytes: Uint8Array): Promise<void> {
    return this.#follow(() => this.#add(hash, bytes));
  }

  /** Ends with the chunks that are left, fewer than a stripe: a stripe of copies. */
  finish(): Promise<void> {
    return this.#follow(async () => {
      const chunks = this.#chunks;
      this.#chunks = [];
      if (chunks.length > 0) await this.#deps.onStripe({ encoding: REPLICATED, chunks });
    });
  }

  /** Waits for what was begun, and gives the buffers back. */
  async close(): Promise<void> {
    await this.#tail;
    for (const buffer of this.#parity) this.#deps.work.giveBack(buffer);
  }

  #follow(step: () => Promise<void>): Promise<void> {
    const done = this.#tail.then(() => {
      if (this.#failure !== undefined) throw this.#failure.error;
      return step();
    });
    // Whoever added the chunk is told; steps that were begun already end with the same reason.
    this.#tail = done.catch((error) => {
      this.#failure ??= { error };
    });
    return done;
  }

  async #add(hash: Uint8Array, bytes: Uint8Array): Promise<void> {
    const column = this.#columns[this.#chunks.length];
    if (column === undefined) throw new RangeError("Cannot add chunk: the stripe is full");
    if (bytes.length > this.#length) {
      // Shorter chunks count as if zeros followed, so the parity so far is right for longer ones too.
      for (const parity of this.#parity) parity.fill(0, this.#length, bytes.length);
      this.#length = bytes.length;
    }
    await this.#deps.work.addProducts(bytes, column, this.#parity);
    this.#chunks.push({ hash, size: bytes.length });
    if (this.#chunks.length === this.#deps.code.data) await this.#close();
  }

  async #close(): Promise<void> {
    const { work, code, putParity, onStripe } = this.#deps;
    const parity = await Promise.all(this.#parity.map(async (buffer, parityIndex) => {
      const bytes = buffer.subarray(0, this.#length);
      const { hash } = await work.hash(bytes);
      await putParity(hash, bytes);
      return { hash, size: bytes.length, parityIndex };
    }));
    const { data, parity: count } = code;
    const encoding = { kind: "reed_solomon", data, parity: count } as const;
    const chunks = [...this.#chunks, ...parity];
    this.#chunks = [];
    this.#length = 0;
    await onStripe({ encoding, chunks });
  }
}
