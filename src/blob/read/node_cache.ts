/**
 * Nodes of trees that were read lately, so that reads of ranges need not fetch the way down each time
 * (`dataforts.md` 7).
 */
import { toHex } from "../../base/mod.ts";

/** Size of a cache that is asked for without one. */
export const NODE_CACHE_BYTES = 64 * 1024 * 1024;

/** What an entry takes beside its bytes, about. */
const ENTRY_BYTES = 200;

/** What a cache tells of itself. */
export interface NodeCacheStats {
  readonly hits: number;
  readonly misses: number;
  readonly bytes: number;
  readonly entries: number;
}

/** The least recently used go first. */
export class TreeNodeCache {
  /** Most it holds. */
  readonly bytesMax: number;
  readonly #nodes = new Map<string, Uint8Array>();
  #bytes = 0;
  #hits = 0;
  #misses = 0;

  /** @param bytesMax Most it holds; 0 holds nothing. */
  constructor(bytesMax = NODE_CACHE_BYTES) {
    this.bytesMax = bytesMax;
  }

  /** The bytes of a node; not to be changed. */
  get(hash: Uint8Array): Uint8Array | undefined {
    const key = toHex(hash);
    const bytes = this.#nodes.get(key);
    if (bytes === undefined) {
      this.#misses += 1;
      return undefined;
    }
    this.#hits += 1;
    this.#nodes.delete(key);
    this.#nodes.set(key, bytes);
    return bytes;
  }

  /** Keeps a node, unless it is larger than all there is. */
  add(hash: Uint8Array, bytes: Uint8Array): void {
    const cost = bytes.length + ENTRY_BYTES;
    if (cost > this.bytesMax) return;
    this.remove(hash);
    this.#nodes.set(toHex(hash), bytes.slice());
    this.#bytes += cost;
    for (const [key, oldest] of this.#nodes) {
      if (this.#bytes <= this.bytesMax) break;
      this.#nodes.delete(key);
      this.#bytes -= oldest.length + ENTRY_BYTES;
    }
  }

  /** Forgets a node: it was removed from the store. */
  remove(hash: Uint8Array): void {
    const key = toHex(hash);
    const bytes = this.#nodes.get(key);
    if (bytes === undefined) return;
    this.#nodes.delete(key);
    this.#bytes -= bytes.length + ENTRY_BYTES;
  }

  stats(): NodeCacheStats {
    return {
      hits: this.#hits,
      misses: this.#misses,
      bytes: this.#bytes,
      entries: this.#nodes.size,
    };
  }
}
