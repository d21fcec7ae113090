/** Blobs as programs put and get them: as bytes, as streams, as files. */
import { type BlobTarget, type OnBlobProgress, parseBlobTarget } from "../blob/mod.ts";
import type { BlobService } from "../services/mod.ts";
import { MemorySink, StreamSink } from "./blob_sinks.ts";
import { type BlobInput, openBlobInput } from "./blob_source.ts";

/** Options of `put`. */
export interface PutOptions {
  /** Shown in listings. */
  readonly label?: string;
  readonly onProgress?: OnBlobProgress;
  readonly signal?: AbortSignal;
}

/** A blob that was put. */
export interface PutBlob {
  /** `b3:` and the BLAKE3 of its bytes; what others get it by. */
  readonly address: string;
  readonly size: number;
}

/** Options of `getStream`. */
export interface GetStreamOptions {
  readonly onProgress?: OnBlobProgress;
  readonly signal?: AbortSignal;
}

/** Options of `get`. */
export interface GetOptions extends GetStreamOptions {
  /** A blob with more bytes fails with `limit`; 256 MiB when left out. */
  readonly maxBytes?: number;
}

/** Options of `getFile`. */
export interface GetFileOptions extends GetStreamOptions {
  /** Replaces a file that exists; otherwise one fails with `conflict`. */
  readonly overwrite?: boolean;
}

/** Bytes of one blob in memory; a program that wants more says so. */
const GET_BYTES_MAX = 256 * 1024 * 1024;

/** Stores what an input gives. */
export async function putInput(
  blobs: BlobService,
  input: BlobInput,
  options: PutOptions,
): Promise<PutBlob> {
  const source = openBlobInput(input);
  try {
    const { address, size } = await blobs.put(source, options);
    return { address, size };
  } finally {
    await source.close();
  }
}

/** Gets a blob whole. */
export async function getBytes(
  blobs: BlobService,
  address: string,
  { maxBytes = GET_BYTES_MAX, ...options }: GetOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const sink = new MemorySink(maxBytes);
  await blobs.getInto(parseBlobTarget(address), () => Promise.resolve(sink), options);
  return sink.bytes();
}

/** Gets a blob as a stream; it begins to come at once and no faster than it is read. */
export function getAsStream(
  blobs: BlobService,
  address: string,
  { signal, ...options }: GetStreamOptions,
): ReadableStream<Uint8Array> {
  const target: BlobTarget = parseBlobTarget(address);
  const left = new AbortController();
  const sink = new StreamSink((reason) => left.abort(reason));
  const signals = signal === undefined ? left.signal : AbortSignal.any([left.signal, signal]);
  const coming = blobs.getInto(target, () => Promise.resolve(sink), {
    ...options,
    signal: signals,
  });
  coming.catch((error) => sink.fail(error));
  return sink.readable;
}
