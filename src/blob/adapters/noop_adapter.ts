/** An adapter that keeps nothing (`dataforts.md` 8): for channels whose blobs others store. */
import type { BlobAdapter } from "./adapter.ts";
import { blobNotFound } from "./adapter.ts";

/** Creates one; it takes the URIs of the schemes given, and of all without. */
export function createNoopAdapter(id: string, schemes: readonly string[] = []): BlobAdapter {
  return {
    id,
    schemes,
    store: () => Promise.resolve(),
    fetch: (ref) => Promise.reject(blobNotFound(ref)),
    fetchRange: (ref, start, end) =>
      start === end ? Promise.resolve(new Uint8Array(0)) : Promise.reject(blobNotFound(ref)),
    exists: () => Promise.resolve(false),
    delete: () => Promise.resolve(),
  };
}
