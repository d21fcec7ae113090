/**
 * What peers are served from: the store, and for chunks of blobs that others hold in this node's stead, those
 * others (promises D2, D3). The blob's address leads here, so that its chunks must be had from here too.
 *
 * Such a chunk passes through memory and is not stored: the disk is full, which is why it is elsewhere.
 */
import { toHex } from "../../base/mod.ts";
import type { BlobSource, ReadChunkOptions } from "../../blob/mod.ts";

/** Gets a chunk from whoever holds it in this node's stead; `undefined` when nobody does or can now. */
export type FetchSpilled = (hash: Uint8Array) => Promise<Uint8Array | undefined>;

/** Chunks that came and wait to be read: 4 MiB each as a rule. */
const PASSING_MAX = 8;

interface Passing {
  readonly bytes: Promise<Uint8Array | undefined>;
  /** Those that were told its size and have not read it yet. */
  readers: number;
  /** It is here; whoever gets them bounds how many are still coming. */
  isHere: boolean;
}

/** A store with what others hold for it. */
export class SpillSource implements BlobSource {
  readonly #store: BlobSource;
  readonly #fetch: FetchSpilled;
  /** By hash; what nobody came back for makes room for others. */
  readonly #passing = new Map<string, Passing>();

  constructor(store: BlobSource, fetch: FetchSpilled) {
    this.#store = store;
    this.#fetch = fetch;
  }

  async hasChunk(hash: Uint8Array): Promise<number | undefined> {
    return await this.#store.hasChunk(hash) ?? (await this.#pass(hash))?.length;
  }

  async readChunk(
    hash: Uint8Array,
    into?: Uint8Array<ArrayBuffer>,
    options?: ReadChunkOptions,
  ): Promise<Uint8Array | undefined> {
    const own = await this.#store.readChunk(hash, into, options);
    if (own !== undefined) return own;
    const hex = toHex(hash);
    const passing = this.#passing.get(hex);
    if (passing === undefined) return undefined;
    passing.readers -= 1;
    if (passing.readers <= 0) this.#passing.delete(hex);
    return await passing.bytes;
  }

  readRef(refHash: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#store.readRef(refHash);
  }

  readRefOf(address: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#store.readRefOf(address);
  }

  async #pass(hash: Uint8Array): Promise<Uint8Array | undefined> {
    const hex = toHex(hash);
    const passing = this.#passing.get(hex) ?? {
      bytes: this.#fetch(hash).catch(() => undefined),
      readers: 0,
      isHere: false,
    };
    passing.readers += 1;
    this.#passing.delete(hex);
    this.#passing.set(hex, passing);
    const bytes = await passing.bytes;
    if (bytes === undefined && this.#passing.get(hex) === passing) this.#passing.delete(hex);
    passing.isHere = true;
    this.#dropOldest();
    return bytes;
  }

  #dropOldest(): void {
    const here = [...this.#passing].filter(([, { isHere }]) => isHere);
    for (const [hex] of here.slice(0, Math.max(0, here.length - PASSING_MAX))) {
      this.#passing.delete(hex);
    }
  }
}
