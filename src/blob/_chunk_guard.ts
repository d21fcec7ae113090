/**
 * Keeps chunks from being removed while something of this process needs them: each use is counted, and what wants
 * to use a chunk that is just being removed waits for the end of that.
 */
import { toHex } from "../base/mod.ts";

/** Uses that end in one go: some milliseconds. */
const RELEASES_AT_ONCE = 8_192;

/** Who uses chunks, and which are being removed. */
export class ChunkGuard {
  /** Uses by hash. */
  readonly #uses = new Map<string, number>();
  /** Removals under way, by hash; they never reject. */
  readonly #removals = new Map<string, Promise<void>>();

  /** True while somebody uses it. */
  isUsed(hash: Uint8Array): boolean {
    return this.#uses.has(toHex(hash));
  }

  /** From here on it is not removed; resolves when a removal that was under way is over. */
  async use(hash: Uint8Array): Promise<void> {
    const key = toHex(hash);
    this.#uses.set(key, (this.#uses.get(key) ?? 0) + 1);
    await this.#removals.get(key);
  }

  /** The same for many. */
  async useMany(hashes: Iterable<Uint8Array>): Promise<void> {
    const removals: Promise<unknown>[] = [];
    for (const hash of hashes) {
      const key = toHex(hash);
      this.#uses.set(key, (this.#uses.get(key) ?? 0) + 1);
      const removal = this.#removals.get(key);
      if (removal !== undefined) removals.push(removal);
    }
    await Promise.all(removals);
  }

  /** Ends one use of each. */
  release(hashes: Iterable<Uint8Array>): void {
    for (const hash of hashes) {
      const key = toHex(hash);
      const count = (this.#uses.get(key) ?? 1) - 1;
      if (count > 0) this.#uses.set(key, count);
      else this.#uses.delete(key);
    }
  }

  /**
   * Ends one use of each of very many.
   *
   * @param pause Called again and again, so that other work has its turn.
   */
  async releaseMany(hashes: readonly Uint8Array[], pause: () => Promise<void>): Promise<void> {
    for (let start = 0; start < hashes.length; start += RELEASES_AT_ONCE) {
      if (start > 0) await pause();
      this.release(hashes.slice(start, start + RELEASES_AT_ONCE));
    }
  }

  /**
   * Takes the right to remove those of these chunks that are neither used nor being removed. Whoever wants to use one
   * of them waits until the right is given back.
   */
  claim(
    hashes: readonly Uint8Array[],
  ): { readonly claimed: readonly Uint8Array[]; readonly giveBack: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    const claimed: Uint8Array[] = [];
    for (const hash of hashes) {
      const key = toHex(hash);
      if (this.#uses.has(key) || this.#removals.has(key)) continue;
      this.#removals.set(key, promise);
      claimed.push(hash);
    }
    const giveBack = () => {
      for (const hash of claimed) this.#removals.delete(toHex(hash));
      resolve();
    };
    return { claimed, giveBack };
  }
}
