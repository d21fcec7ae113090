/** A blob as a stream into something that reads at its own pace; when one side fails the other is told. */
import { type BlobSink, type BlobTarget, type ByteSource, streamSource } from "../../blob/mod.ts";
import type { BlobService } from "./blob_service.ts";

/**
 * Gets a blob and has it stored.
 *
 * @param store Reads the source to its end, or leaves it; its signal aborts when the blob does not come.
 * @throws What went wrong first: getting the blob, or storing it.
 */
export async function copyBlob(
  blobs: Pick<BlobService, "getInto">,
  target: BlobTarget,
  store: (source: ByteSource, signal: AbortSignal) => Promise<void>,
  signals: readonly AbortSignal[],
): Promise<void> {
  const failed = new AbortController();
  const ended = AbortSignal.any([failed.signal, ...signals]);
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  writer.closed.catch(() => {}); // Both sides tell below.
  const sink: BlobSink = {
    write: (bytes) => writer.write(bytes),
    commit: () => writer.close(),
    discard: () => Promise.resolve(),
  };
  const source = streamSource(readable);
  const stored = store(source, ended).finally(() => source.close());
  stored.catch((error) => failed.abort(error));
  try {
    await blobs.getInto(target, () => Promise.resolve(sink), { signal: ended });
  } catch (error) {
    await writer.abort(error).catch(() => {});
    await stored.catch(() => {});
    throw failed.signal.aborted ? failed.signal.reason : error;
  }
  await stored;
}
