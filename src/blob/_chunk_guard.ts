/**
 * Keeps chunks from being removed while something of this process needs them: each use is counted, and what wants
 * to use a chunk that is just being removed waits for the end of that.
 */
import { toHex } from "../base/mod.ts";
import { HASH_WORDS, HashIndex, hashWords } from "./_hash_index.ts";
import { HASH_BYTES } from "./limits.ts";

/** Uses that end in one go: less than a millisecond. */
const RELEASES_AT_ONCE = 8_192;

/** Hashes there is room for at first. */
const CAPACITY_MIN = 1_024;

/** Who uses chunks, and which are being removed. */
export class ChunkGuard {
  /** Uses of each hash by its number; of most there are none any more. */
  #uses = new Uint32Array(CAPACITY_MIN);
  #hashes = new HashIndex(CAPACITY_MIN);
  /** Hashes that are used. */
  #used = 0;
  /** Removals under way, by hash; they never reject. */
  readonly #removals = new Map<string, Promise<void>>();

  /** True while somebody uses it. */
  isUsed(hash: Uint8Array): boolean {
    const number = this.#hashes.find(hashWords(hash));
    return number >= 0 && this.#uses[number] !== 0;
  }

  /** From here on it is not removed; resolves when a removal that was under way is over. */
  async use(hash: Uint8Array): Promise<void> {
    this.#add(hashWords(hash), 0);
    if (this.#removals.size > 0) await this.#removals.get(toHex(hash));
  }

  /** The same for many, whose hashes lie one behind the other. */
  async useMany(hashes: Uint8Array): Promise<void> {
    const words = hashWords(hashes);
    for (let at = 0; at < words.length; at += HASH_WORDS) this.#add(words, at);
    if (this.#removals.size === 0) return;
    const removals: Promise<unknown>[] = [];
    for (let at = 0; at < hashes.length; at += HASH_BYTES) {
      const removal = this.#removals.get(toHex(hashes.subarray(at, at + HASH_BYTES)));
      if (removal !== undefined) removals.push(removal);
    }
    await Promise.all(removals);
  }

  /** Ends one use of each; the hashes lie one behind the other. */
  release(hashes: Uint8Array): void {
    const words = hashWords(hashes);
    for (let at = 0; at < words.length; at += HASH_WORDS) {
      const number = this.#hashes.find(words, at);
      const count = this.#uses[number] ?? 0;
      if (number < 0 || count === 0) continue;
      this.#uses[number] = count - 1;
      if (count === 1) this.#used -= 1;
    }
    if (this.#used > 0 || this.#hashes.capacity === CAPACITY_MIN) return;
    this.#hashes = new HashIndex(CAPACITY_MIN);
    this.#uses = new Uint32Array(CAPACITY_MIN);
  }

  /**
   * Ends one use of each of very many.
   *
   * @param parts Hashes, one behind the other.
   * @param pause Called again and again, so that other work has its turn.
   */
  async releaseMany(parts: Iterable<Uint8Array>, pause: () => Promise<void>): Promise<void> {
    let bytes = 0;
    for (const part of parts) {
      if (bytes >= RELEASES_AT_ONCE * HASH_BYTES) {
        await pause();
        bytes = 0;
      }
      this.release(part);
      bytes += part.length;
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
      if (this.isUsed(hash) || this.#removals.has(key)) continue;
      this.#removals.set(key, promise);
      claimed.push(hash);
    }
    const giveBack = () => {
      for (const hash of claimed) this.#removals.delete(toHex(hash));
      resolve();
    };
    return { claimed, giveBack };
  }

  #add(words: Uint32Array, at: number): void {
    if (this.#hashes.count === this.#hashes.capacity && this.#hashes.find(words, at) < 0) {
      this.#makeRoom();
    }
    const number = this.#hashes.add(words, at);
    const count = this.#uses[number] ?? 0;
    this.#uses[number] = count + 1;
    if (count === 0) this.#used += 1;
  }

  /** Forgets hashes that nobody uses, or makes room for twice as many as are used. */
  #makeRoom(): void {
    const hashes = new HashIndex(2 * this.#used);
    const uses = new Uint32Array(hashes.capacity);
    const hash = new Uint8Array(HASH_BYTES);
    for (let number = 0; number < this.#hashes.count; number++) {
      const count = this.#uses[number] ?? 0;
      if (count === 0) continue;
      this.#hashes.copy(number, hash);
      uses[hashes.add(hashWords(hash))] = count;
    }
    this.#hashes = hashes;
    this.#uses = uses;
  }
}
