/**
 * What a user does about one blob or chunk of this node: looks at it, asks why it stays, pins it, removes it
 * (`dataforts.md` 10). Rules that keep a user from losing something unawares are here; the store has none.
 */
import { NetError } from "../../base/mod.ts";
import {
  type BlobRecord,
  type BlobState,
  type BlobStore,
  type BlobTarget,
  type ChunkExplanation,
  describeTarget,
  formatAddress,
} from "../../blob/mod.ts";
import { hashOf, notHere } from "./_target.ts";
import { copyHoldOwner } from "./copy_taker.ts";

/** What {@linkcode BlobCare} needs. */
export interface BlobCareDeps {
  readonly blobs: BlobStore;
  /** How long chunks stay that nothing needs, in milliseconds. */
  readonly retentionMs: () => number;
}

/** What is known here of a target: as a blob, as a chunk, or both. */
export interface BlobFacts {
  /** What was looked for: an address, the root of a tree, a chunk. */
  readonly hash: Uint8Array;
  readonly blob: { readonly record: BlobRecord; readonly state: BlobState } | undefined;
  readonly chunk: ChunkExplanation | undefined;
}

/** Looks after single blobs and chunks. */
export class BlobCare {
  readonly #deps: BlobCareDeps;

  constructor(deps: BlobCareDeps) {
    this.#deps = deps;
  }

  /** What is known here; `undefined` when nothing is. */
  async look(target: BlobTarget): Promise<BlobFacts | undefined> {
    const { blobs, retentionMs } = this.#deps;
    const hash = hashOf(target);
    const record = await blobs.stat(hash);
    const state = record && await blobs.stateOf(record.address);
    const chunk = await blobs.explain(hash, retentionMs());
    const blob = record && state && { record, state };
    return blob === undefined && chunk === undefined ? undefined : { hash, blob, chunk };
  }

  /**
   * What keeps a blob or a chunk.
   *
   * @throws NetError `not_found`.
   */
  async why(target: BlobTarget): Promise<BlobFacts> {
    const facts = await this.look(target);
    if (facts !== undefined) return facts;
    throw notHere(target);
  }

  /**
   * Pins a blob or a chunk, or lets it go.
   *
   * @throws NetError `not_found`.
   */
  async pin(target: BlobTarget, isPinned: boolean): Promise<"blob" | "chunk"> {
    const what = await this.#deps.blobs.pin(hashOf(target), isPinned);
    if (what !== undefined) return what;
    throw notHere(target);
  }

  /**
   * Forgets a blob and frees what nothing else needs, or removes a chunk that no blob refers to.
   *
   * @param options Forced: although it is pinned or held. What holds its chunks keeps them all the same.
   * @throws NetError `not_found`; `conflict` when it is pinned, held, in use, or part of a blob.
   */
  async remove(
    target: BlobTarget,
    options: { readonly isForced?: boolean } = {},
  ): Promise<{ readonly what: "blob" | "chunk"; readonly freedBytes: number }> {
    const { isForced = false } = options;
    const facts = await this.look(target);
    if (facts === undefined) throw notHere(target);
    const name = describeTarget(target);
    if (facts.blob !== undefined) {
      const { record, state } = facts.blob;
      if (!isForced) requireFree(name, record.isPinned, state.holds);
      // Taken as a copy for others: they replace it.
      await this.#deps.blobs.release(copyHoldOwner(record.address));
      const removed = await this.#deps.blobs.remove(record.address);
      if (removed === undefined) throw notHere(target);
      return { what: "blob", ...removed };
    }
    if (facts.chunk === undefined) throw notHere(target);
    return { what: "chunk", freedBytes: await this.#removeChunk(name, facts.chunk, isForced) };
  }

  async #removeChunk(name: string, chunk: ChunkExplanation, isForced: boolean): Promise<number> {
    const { blobs } = this.#deps;
    const [referrer] = chunk.referrers;
    if (referrer !== undefined) {
      const address = formatAddress(referrer.address);
      const what = chunk.stripes.length > 0
        ? "it is part of a stripe: data and parity go together, with blob"
        : "it is part of blob";
      throw new NetError("conflict", `Cannot remove chunk ${name}: ${what} ${address}`, {
        next: `remove the whole blob with net blob rm ${address}`,
      });
    }
    if (!isForced) requireFree(name, chunk.isPinned, chunk.holds);
    if (chunk.isPinned) await blobs.pin(chunk.hash, false);
    for (const { owner } of chunk.holds) await blobs.release(owner, [chunk.hash]);
    const freedBytes = await blobs.removeChunk(chunk.hash);
    if (freedBytes !== undefined) return freedBytes;
    throw new NetError("conflict", `Cannot remove chunk ${name}: it is in use`, {
      next: "try again in a moment",
    });
  }
}

function requireFree(
  name: string,
  isPinned: boolean,
  holds: readonly { readonly owner: string }[],
): void {
  if (isPinned) {
    throw new NetError("conflict", `Cannot remove ${name}: it is pinned`, {
      next: `let it go with net blob unpin ${name}, or add --force`,
    });
  }
  if (holds.length === 0) return;
  const owners = holds.slice(0, 3).map(({ owner }) => owner).join(", ");
  throw new NetError("conflict", `Cannot remove ${name}: it is held by ${owners}`, {
    next: `see net blob why ${name}, or add --force`,
  });
}
