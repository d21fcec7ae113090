/** Sizes of chunks that are not here, as references that passed by name them; a bounded number. */
import { toHex } from "../../base/mod.ts";
import type { BlobRef, ChunkRef } from "../blob_ref.ts";
import { SIZES_MAX } from "./limits.ts";

/** Chunks that a reference names with their sizes; none of a tree, whose list is in its nodes. */
export function chunksNamedBy(ref: BlobRef): readonly ChunkRef[] {
  if (ref.kind === "small") return [{ hash: ref.hash, size: ref.size }];
  return ref.kind === "manifest" ? ref.chunks : [];
}

/** Sizes by hash in hex. */
export class SizeBook {
  readonly #sizes = new Map<string, number>();

  get size(): number {
    return this.#sizes.size;
  }

  /** Notes the chunks of a reference. */
  note(ref: BlobRef): void {
    for (const { hash, size } of chunksNamedBy(ref)) {
      const hex = toHex(hash);
      this.#sizes.delete(hex);
      this.#sizes.set(hex, size);
    }
    for (const oldest of this.#sizes.keys()) {
      if (this.#sizes.size <= SIZES_MAX) return;
      this.#sizes.delete(oldest);
    }
  }

  sizeOf(hex: string): number | undefined {
    return this.#sizes.get(hex);
  }
}
