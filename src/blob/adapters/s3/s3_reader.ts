/** Reads an object piece by piece, over answers that break off. */
import type { Clock } from "../../../base/mod.ts";
import type { SmallRef } from "../../blob_ref.ts";
import { BLOB_BYTES_MAX } from "../../limits.ts";
import { type AdapterCallOptions, BlobAdapterError, blobNotFound } from "../adapter.ts";
import { cancelBody, S3_ATTEMPTS_MAX, type S3Client } from "./s3_client.ts";

/** Silence of a store in the middle of an object. */
const STALL_MS = 30_000;

/** What is read. */
export interface S3ReadOptions extends AdapterCallOptions {
  readonly client: S3Client;
  readonly clock: Clock;
  readonly key: string;
  /** Named when the object is not there. */
  readonly ref: SmallRef;
}

/**
 * The bytes of an object as they come; nothing of them was verified.
 *
 * @throws BlobAdapterError `not_found`, `limit` above 16 GiB, `timeout`, `backend`, `unauthorized`.
 */
export async function* readObject(
  options: S3ReadOptions,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { client, clock, key, ref, signal } = options;
  let at = 0;
  let size: number | undefined;
  let failures = 0;
  while (size === undefined || at < size) {
    const headers: Record<string, string> = at === 0 ? {} : { range: `bytes=${at}-` };
    const accepts = [404];
    const response = await client.send({
      method: "GET",
      key,
      headers,
      accepts,
      signal,
    });
    if (response.status === 404) {
      await cancelBody(response);
      throw blobNotFound(ref);
    }
    if (at > 0 && response.status !== 206) {
      await cancelBody(response);
      throw new BlobAdapterError("backend", "Cannot go on reading: the store gives no ranges");
    }
    const length = Number(response.headers.get("content-length") ?? Number.NaN);
    size ??= Number.isSafeInteger(length) ? length : undefined;
    const before = at;
    try {
      for await (const piece of piecesOf(response, clock, signal)) {
        at += piece.length;
        if (at > BLOB_BYTES_MAX) {
          size = undefined;
          throw new BlobAdapterError(
            "limit",
            `Cannot read object: it is longer than ${BLOB_BYTES_MAX} bytes`,
          );
        }
        yield piece;
      }
      // Without a length the end of the answer is the end of the object.
      if (size === undefined || at >= size) return;
    } catch (error) {
      signal?.throwIfAborted();
      failures = at > before ? 1 : failures + 1;
      if (failures >= S3_ATTEMPTS_MAX || size === undefined) throw toBackendError(error);
    }
    if (at === before && ++failures >= S3_ATTEMPTS_MAX) {
      throw new BlobAdapterError(
        "backend",
        `Cannot read object: it ends at ${at} of ${size} bytes`,
      );
    }
  }
}

async function* piecesOf(
  response: Response,
  clock: Clock,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  const onAbort = () => void reader.cancel(signal?.reason).catch(() => {});
  signal?.addEventListener("abort", onAbort, { once: true });
  let isStalled = false;
  try {
    for (;;) {
      const cancel = clock.after(STALL_MS, () => {
        isStalled = true;
        reader.cancel().catch(() => {}); // The read below ends by it.
      });
      const { done, value } = await reader.read().finally(cancel);
      signal?.throwIfAborted();
      if (isStalled) {
        throw new BlobAdapterError("timeout", `Cannot read object: silence for ${STALL_MS} ms`);
      }
      if (done) return;
      yield value;
    }
  } finally {
    signal?.removeEventListener("abort", onAbort);
    await reader.cancel().catch(() => {}); // Of what is not read any more.
  }
}

function toBackendError(error: unknown): BlobAdapterError {
  if (error instanceof BlobAdapterError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new BlobAdapterError("backend", `Cannot read object: ${message}`, { cause: error });
}
