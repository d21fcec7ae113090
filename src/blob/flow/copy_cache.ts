/**
 * Copies of what was fetched (row 46): kept while they are read more than what else would come, within a quota. A
 * copy that goes is removed at once if nothing else keeps it, so that the quota is one of bytes on the disk.
 */
import { type Clock, fromHex, toHex } from "../../base/mod.ts";
import { HASH_BYTES } from "../limits.ts";
import { type DataPolicy, WarmCache } from "../policy/mod.ts";
import type { FlowStore } from "./ports.ts";

/** What {@linkcode CopyCache} needs. */
export interface CopyCacheDeps {
  readonly clock: Clock;
  readonly store: FlowStore;
  readonly policy: () => DataPolicy;
  readonly rateOf: (hex: string, nowMs: number) => number;
}

const OWNER = "cache";

/** The copies of one node. */
export class CopyCache {
  readonly #deps: CopyCacheDeps;
  readonly #cache: WarmCache;

  constructor(deps: CopyCacheDeps) {
    this.#deps = deps;
    this.#cache = new WarmCache(this.#options(), deps.rateOf);
  }

  get bytes(): number {
    return this.#cache.bytes;
  }

  get size(): number {
    return this.#cache.size;
  }

  has(hex: string): boolean {
    return this.#cache.bytesOf(hex) !== undefined;
  }

  /** Reads what was kept before a restart. */
  async load(): Promise<void> {
    for (const { hash, owner, size } of await this.#deps.store.heldBy(OWNER)) {
      if (owner === OWNER && size !== undefined) {
        this.#cache.admit(toHex(hash), size, this.#deps.clock.now());
      }
    }
  }

  /** A chunk was fetched and is here now. */
  async note(hash: Uint8Array, size: number): Promise<void> {
    const { policy, store, clock } = this.#deps;
    if (!policy().cache.isEnabled) return;
    const hex = toHex(hash);
    if (this.#cache.touch(hex)) return;
    const admission = this.#cache.admit(hex, size, clock.now());
    if (!admission.isAdmitted) return;
    await store.hold([hash], { reason: "cache", owner: OWNER });
    await this.#evict(admission.evicted);
  }

  /** A chunk was read, or is gone. */
  touch(hex: string): void {
    this.#cache.touch(hex);
  }

  /** The copy of a chunk goes for another reason. */
  async forget(hex: string): Promise<void> {
    const hash = fromHex(hex, HASH_BYTES);
    if (this.#cache.remove(hex) && hash !== undefined) {
      await this.#deps.store.release(OWNER, [hash]);
    }
  }

  /** The policy has changed; switched off, nothing is kept for the cache's sake any more. */
  async configure(): Promise<void> {
    const { policy, store, clock } = this.#deps;
    const evicted = this.#cache.configure(this.#options(), clock.now());
    await this.#evict(evicted);
    if (!policy().cache.isEnabled && this.#cache.size === 0) await store.release(OWNER);
  }

  /** Gives so many bytes up, as far as it has them; the disk is full. */
  async shed(bytes: number): Promise<number> {
    const before = this.#cache.bytes;
    const mostBytes = Math.max(0, before - bytes);
    await this.#evict(this.#cache.shrink(this.#deps.clock.now(), mostBytes));
    return before - this.#cache.bytes;
  }

  #options() {
    const { cache, moves } = this.#deps.policy();
    // Younger than a minute nothing goes: a scan over much must not wash itself out.
    return {
      capBytes: cache.isEnabled ? cache.capBytes : 0,
      restMs: Math.min(60_000, moves.restMs),
    };
  }

  async #evict(hexes: readonly string[]): Promise<void> {
    const { store } = this.#deps;
    for (const hex of hexes) {
      const hash = fromHex(hex, HASH_BYTES);
      if (hash === undefined) continue;
      await store.release(OWNER, [hash]);
      await store.discard(hash);
    }
  }
}
