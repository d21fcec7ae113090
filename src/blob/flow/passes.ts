/**
 * Chunks that peers hold in this node's stead, got for somebody who waits for one (promises D2, D3). Each is a chunk
 * in memory, and a peer may ask for hundreds at once: so many come at a time, and others wait or come to nothing.
 */
import { type Clock, toHex } from "../../base/mod.ts";
import { PASS_TIMEOUT_MS, PASSES_RUNNING_MAX, PASSES_WAITING_MAX } from "./limits.ts";
import type { FlowMesh, FlowStore } from "./ports.ts";
import { bounded } from "./wait.ts";

/** What {@linkcode Passes} needs. */
export interface PassesDeps {
  readonly clock: Clock;
  readonly store: Pick<FlowStore, "sizes"> & {
    readonly spilled: Pick<FlowStore["spilled"], "holders">;
  };
  readonly mesh: Pick<FlowMesh, "fetch">;
}

/** Gets them. */
export class Passes {
  readonly #deps: PassesDeps;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(deps: PassesDeps) {
    this.#deps = deps;
  }

  /** A chunk that peers hold; `undefined` when none of them can give it now, or too many are wanted. */
  async fetch(hash: Uint8Array, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const { store, mesh, clock } = this.#deps;
    const sources = await store.spilled.holders(hash);
    const size = (await store.sizes([hash])).get(toHex(hash));
    if (sources.length === 0 || size === undefined) return undefined;
    if (!await this.#turn()) return undefined;
    const time = bounded(clock, PASS_TIMEOUT_MS, signal);
    try {
      const options = { sources, isOnlyThese: true, bytesMax: size, signal: time.signal };
      return await mesh.fetch(hash, options);
    } catch {
      return undefined; // Whoever asked asks others.
    } finally {
      time.end();
      // The place goes to who waited longest.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  /** Waits for a place; false when too many wait for one. */
  async #turn(): Promise<boolean> {
    if (this.#running < PASSES_RUNNING_MAX) {
      this.#running += 1;
      return true;
    }
    if (this.#waiting.length >= PASSES_WAITING_MAX) return false;
    await new Promise<void>((go) => this.#waiting.push(go));
    return true;
  }
}
