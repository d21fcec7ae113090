/**
 * Chunks of stripes for a read: as they are, or restored from the others (`dataforts.md` 6).
 *
 * What one lost chunk brought to light of a stripe is kept until two others were met: its other lost chunks
 * come out of the same pass over the survivors.
 */
import { NetError } from "../../base/mod.ts";
import { type ReadStripeChunk, restoreStripe } from "../erasure/restore.ts";
import type { LeafChunk, Stripe } from "../tree/tree_node.ts";
import type { WorkPool } from "../work/mod.ts";
import type { ChunkReader } from "./chunk_reader.ts";

/** Told of chunks that were restored, each with its place in the stripe. */
export type OnRestored = (
  stripe: Stripe,
  restored: ReadonlyMap<number, Uint8Array>,
) => void;

/** What {@linkcode StripeReader} needs. */
export interface StripeReaderDeps {
  readonly reader: ChunkReader;
  /** What is near: parity from there is better than a chunk from elsewhere. */
  readonly near?: ChunkReader;
  readonly work?: WorkPool;
  readonly onRestored?: OnRestored;
}

/** Stripes whose restored chunks are kept; a window of read-ahead touches two. */
const STRIPES_MAX = 2;

interface StripeState {
  /** Chunks that were restored, by place. */
  readonly restored: Map<number, Uint8Array>;
  /** The end of the last pass: one runs after the other. */
  tail: Promise<unknown>;
  /** What is near is not enough. */
  isNearShort: boolean;
}

/** Reads chunks of stripes. */
export class StripeReader {
  readonly #deps: StripeReaderDeps;
  readonly #states = new Map<Stripe, StripeState>();

  constructor(deps: StripeReaderDeps) {
    this.#deps = deps;
  }

  /**
   * A chunk of a stripe.
   *
   * @param index Its place.
   * @throws NetError as the reader; `not_found` when it is lost and too few others are there; `integrity` when
   * what they give is not the chunk.
   */
  async read(stripe: Stripe, index: number, signal?: AbortSignal): Promise<Uint8Array> {
    const { reader, near } = this.#deps;
    const chunk = stripe.chunks[index];
    if (chunk === undefined) throw new RangeError(`Cannot read chunk ${index}: there is none`);
    const isProtected = stripe.encoding.kind === "reed_solomon";
    if (near !== undefined && isProtected) {
      const here = await readSized(near, chunk, signal);
      if (here !== undefined) return here;
      const restored = await this.#restore(stripe, index, near, signal).catch(unlessLost);
      if (restored !== undefined) return restored;
    }
    let failure: unknown;
    try {
      const bytes = await readSized(reader, chunk, signal);
      if (bytes !== undefined) return bytes;
    } catch (error) {
      signal?.throwIfAborted();
      if (!isProtected || !(error instanceof NetError)) throw error;
      failure = error;
    }
    try {
      const restored = await this.#restore(stripe, index, reader, signal);
      if (restored !== undefined) return restored;
    } catch (error) {
      if (failure === undefined || !isLost(error)) throw error;
    }
    // Why the chunk itself could not be had says more than that the others are gone too.
    throw failure ?? new NetError("not_found", "Cannot read chunk: nobody has it");
  }

  /** The chunk, `undefined` when this reader is known to have too few others. */
  async #restore(
    stripe: Stripe,
    index: number,
    reader: ChunkReader,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array | undefined> {
    const state = this.#stateOf(stripe);
    const isNear = reader === this.#deps.near;
    const pass = state.tail.then(async () => {
      const known = state.restored.get(index);
      if (known !== undefined) return known;
      if (isNear && state.isNearShort) return undefined;
      const { work, onRestored } = this.#deps;
      const readChunk: ReadStripeChunk = async (chunk) => {
        try {
          return await readSized(reader, chunk, signal);
        } catch (error) {
          signal?.throwIfAborted();
          if (error instanceof NetError) return undefined;
          throw error;
        }
      };
      try {
        const restored = await restoreStripe(stripe, [index], { readChunk, work, signal });
        for (const [place, bytes] of restored) state.restored.set(place, bytes);
        onRestored?.(stripe, restored);
        return restored.get(index);
      } catch (error) {
        if (isNear && isLost(error)) state.isNearShort = true;
        throw error;
      }
    });
    state.tail = pass.catch(() => {});
    return await pass;
  }

  #stateOf(stripe: Stripe): StripeState {
    const known = this.#states.get(stripe);
    if (known !== undefined) return known;
    const state: StripeState = {
      restored: new Map(),
      tail: Promise.resolve(),
      isNearShort: false,
    };
    this.#states.set(stripe, state);
    for (const oldest of this.#states.keys()) {
      if (this.#states.size <= STRIPES_MAX) break;
      this.#states.delete(oldest);
    }
    return state;
  }
}

/** A chunk of another length than its reference says is as good as lost. */
async function readSized(
  reader: ChunkReader,
  chunk: LeafChunk,
  signal: AbortSignal | undefined,
): Promise<Uint8Array | undefined> {
  const bytes = await reader.read(chunk.hash, chunk.size, signal);
  return bytes?.length === chunk.size ? bytes : undefined;
}

function isLost(error: unknown): boolean {
  return error instanceof NetError && (error.code === "not_found" || error.code === "integrity");
}

function unlessLost(error: unknown): undefined {
  if (isLost(error)) return undefined;
  throw error;
}
