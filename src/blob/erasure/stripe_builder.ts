/**
 * Makes stripes of chunks that come one after the other (`dataforts.md` 6): every `data` of them get their
 * parity chunks.
 *
 * Parity grows with each chunk, so that no chunk is kept: a stripe holds only its parity chunks, each as
 * long as its longest data chunk.
 */
import { blake3, galoisAddProducts } from "../../core/crypto/mod.ts";
import { REPLICATED } from "../encoding.ts";
import { TREE_FAN_OUT } from "../limits.ts";
import type { LeafChunk, Stripe } from "../tree/tree_node.ts";
import { parityRows, type StripeCode } from "./matrix.ts";

/** A chunk with its bytes, which are looked at during the call only. */
export interface StripeInput {
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array;
}

/** A parity chunk. */
export interface ParityChunk extends StripeInput {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A stripe that is complete; its parity must be stored. */
export interface BuiltStripe {
  readonly stripe: Stripe;
  readonly parity: readonly ParityChunk[];
}

/** Stripes in the making. */
export interface StripeBuilder {
  /** Adds a chunk of 1 byte to 16 MiB; gives the stripe that it completed. */
  add(chunk: StripeInput): BuiltStripe | undefined;
  /** The chunks that are left, fewer than a stripe: without parity, in a stripe of copies. */
  finish(): BuiltStripe | undefined;
}

/**
 * Starts making stripes.
 *
 * @throws RangeError when the code has no data, no parity, or more chunks than a leaf can list: 128.
 */
export function createStripeBuilder(code: StripeCode): StripeBuilder {
  const chunks = code.data + code.parity;
  // The code itself goes to 255, but its stripes would have no place in a tree.
  if (chunks > TREE_FAN_OUT) {
    throw new RangeError(
      `Cannot make stripes of ${chunks} chunks: must be at most ${TREE_FAN_OUT}`,
    );
  }
  return new ParityBuilder(code);
}

class ParityBuilder implements StripeBuilder {
  readonly #code: StripeCode;
  /** For each data chunk what it is multiplied with, parity by parity. */
  readonly #columns: readonly Uint8Array<ArrayBuffer>[];
  #chunks: LeafChunk[] = [];
  #parity: Uint8Array<ArrayBuffer>[] = [];

  constructor(code: StripeCode) {
    const rows = parityRows(code);
    this.#code = { data: code.data, parity: code.parity };
    this.#columns = Array.from(
      { length: code.data },
      (_, column) => Uint8Array.from(rows, (row) => row[column] ?? 0),
    );
  }

  add({ hash, bytes }: StripeInput): BuiltStripe | undefined {
    const column = this.#columns[this.#chunks.length];
    if (column === undefined) throw new RangeError("Cannot add chunk: the stripe is full");
    this.#makeRoom(bytes.length);
    galoisAddProducts(bytes, column, this.#parity);
    this.#chunks.push({ hash, size: bytes.length });
    return this.#chunks.length < this.#code.data ? undefined : this.#close();
  }

  finish(): BuiltStripe | undefined {
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#parity = [];
    if (chunks.length === 0) return undefined;
    return { stripe: { encoding: REPLICATED, chunks }, parity: [] };
  }

  #close(): BuiltStripe {
    const parity = this.#parity.map((bytes) => ({ hash: blake3(bytes), bytes }));
    const parityRefs = parity.map(({ hash, bytes }, parityIndex): LeafChunk => {
      return { hash, size: bytes.length, parityIndex };
    });
    const stripe: Stripe = {
      encoding: { kind: "reed_solomon", ...this.#code },
      chunks: [...this.#chunks, ...parityRefs],
    };
    this.#chunks = [];
    this.#parity = [];
    return { stripe, parity };
  }

  /** Shorter chunks count as if zeros followed, so the parity so far is right for longer ones too. */
  #makeRoom(length: number): void {
    if (this.#parity.length > 0 && (this.#parity[0]?.length ?? 0) >= length) return;
    const before = this.#parity;
    this.#parity = Array.from({ length: this.#code.parity }, (_, i) => {
      const bytes = new Uint8Array(length);
      const old = before[i];
      if (old !== undefined) bytes.set(old);
      return bytes;
    });
  }
}
