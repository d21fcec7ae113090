/** Blobs as programs put and get them: as bytes, as streams, as files. */
import { type BlobTarget, type OnBlobProgress, parseBlobTarget } from "../blob/mod.ts";
import type { BlobService, ReplicaService } from "../services/mod.ts";
import { MemorySink, StreamSink } from "./blob_sinks.ts";
import { type BlobInput, openBlobInput } from "./blob_source.ts";

/** Options of `put`. */
export interface PutOptions {
  /** Shown in listings. */
  readonly label?: string;
  /**
   * Other nodes that hold every chunk, synced, when the put resolves; the nodes see to that number from then on.
   * None when left out. Fails with `timeout` when there are fewer in time; the bytes stay.
   */
  readonly replicas?: number;
  /** Milliseconds that they may take; a minute when left out. */
  readonly replicasWaitMs?: number;
  readonly onProgress?: OnBlobProgress;
  readonly signal?: AbortSignal;
}

/** A blob that was put. */
export interface PutBlob {
  /** `b3:` and the BLAKE3 of its bytes; what others get it by. */
  readonly address: string;
  readonly size: number;
  /** Other nodes that hold it, where copies were asked for. */
  readonly holders?: readonly bigint[];
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
  /** Resolves when the file is on the disk; otherwise when it is written, as a copy is. */
  readonly isSynced?: boolean;
}

const COPIES_WAIT_MS = 60_000;

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

/** Has copies taken where the options ask for them. */
export async function withCopies(
  replicas: () => Pick<ReplicaService, "replicate">,
  put: PutBlob,
  options: PutOptions,
): Promise<PutBlob> {
  const { replicas: peers, replicasWaitMs: waitMs = COPIES_WAIT_MS, signal } = options;
  if (peers === undefined) return put;
  const target = parseBlobTarget(put.address);
  if (target.kind !== "address") return put;
  const { holders } = await replicas().replicate(target.hash, { peers, waitMs, signal });
  return { ...put, holders };
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
