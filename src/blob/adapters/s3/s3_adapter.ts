/**
 * Blobs of one piece as objects of an S3-compatible bucket, `PREFIXab/abcdef…`: the layout of the file adapter, so
 * that either can read what the other stored.
 *
 * Long blobs go up in parts, and appear when all of them are there and the hash of the whole was right. A read that
 * breaks off goes on where it was. Everything that is given was verified against the hash in the reference.
 */
import { type Clock, equalBytes, type RandomBytes, toHex } from "../../../base/mod.ts";
import { blake3, createBlake3 } from "../../../core/crypto/mod.ts";
import type { BlobRef, SmallRef } from "../../blob_ref.ts";
import type { ByteSource } from "../../byte_source.ts";
import { BLOB_BYTES_MAX } from "../../limits.ts";
import { CallGate } from "../_call_gate.ts";
import {
  type AdapterCallOptions,
  type BlobAdapter,
  BlobAdapterError,
  blobHashMismatch,
  blobNotFound,
  requireRange,
  requireSmall,
} from "../adapter.ts";
import { S3_ATTEMPTS_MAX, S3Client, type S3ClientDeps, type S3Place } from "./s3_client.ts";
import { escapeXml, readElement, readRoot } from "./s3_xml.ts";
import type { S3Credentials } from "./sigv4.ts";

/** Bytes of a part. The least is 5 MiB and the most parts are 10,000: room for 80 GB. */
export const S3_PART_BYTES = 8 * 1024 * 1024;

/** Parts on their way at once: with the one being filled 32 MiB for an upload. */
const PARTS_ACTIVE_MAX = 3;

/** Most of a blob that is given at once; larger ones are read as a stream. */
export const S3_FETCH_BYTES_MAX = 1024 ** 3;

/** Uploads that are so old were left by somebody who ended. */
const UPLOAD_LEFT_MS = 24 * 3_600_000;

/** Calls at work at once, each with up to four parts in memory; and those that wait, which hold what they store. */
export const S3_CALLS_MAX = 16;
export const S3_CALLS_WAITING_MAX = 1_024;

/** Silence of a store in the middle of an object. */
const STALL_MS = 30_000;

/** Options of {@linkcode createS3Adapter}. */
export interface S3AdapterOptions {
  readonly id: string;
  readonly place: S3Place;
  /** In front of every key; empty, or ends with `/`. */
  readonly prefix?: string;
  readonly credentials: () => Promise<S3Credentials>;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly fetch?: S3ClientDeps["fetch"];
}

/**
 * Creates the adapter; nothing is sent before its first call.
 *
 * @throws BlobAdapterError `backend` for a place or prefix that cannot be.
 */
export function createS3Adapter(options: S3AdapterOptions): S3Adapter {
  return new S3Adapter(options);
}

/** Metadata with the hash, so that a look tells an object of ours. */
const HASH_HEADER = "x-amz-meta-b3";

/** Blobs in a bucket. */
export class S3Adapter implements BlobAdapter {
  readonly schemes = ["s3"];
  readonly id: string;
  readonly #client: S3Client;
  readonly #prefix: string;
  readonly #bucket: string;
  readonly #clock: Clock;
  readonly #gate = new CallGate({ activeMax: S3_CALLS_MAX, waitingMax: S3_CALLS_WAITING_MAX });

  constructor({ id, place, prefix = "", ...deps }: S3AdapterOptions) {
    if (!/^(?:[A-Za-z0-9._-]{1,255}\/){0,16}$/.test(prefix) || /(^|\/)\.\.?\//.test(prefix)) {
      throw new BlobAdapterError(
        "backend",
        `Cannot use prefix "${prefix.slice(0, 64)}": must be names of plain letters, each with a /`,
      );
    }
    this.id = id;
    this.#prefix = prefix;
    this.#bucket = place.bucket;
    this.#clock = deps.clock;
    this.#client = new S3Client({ place, ...deps });
  }

  /** Counters of its requests. */
  get counters(): S3Client["counters"] {
    return this.#client.counters;
  }

  /** Where a blob is, as other programs name it. */
  uriOf(hash: Uint8Array): string {
    return `s3://${this.#bucket}/${this.#keyOf(hash)}`;
  }

  async store(ref: BlobRef, bytes: Uint8Array, options: AdapterCallOptions = {}): Promise<void> {
    const small = requireSmall(ref, "S3");
    const actual = blake3(bytes);
    if (!equalBytes(actual, small.hash)) throw blobHashMismatch(small.hash, actual);
    let at = 0;
    await this.storeStream(small, {
      read: (into) => {
        const piece = bytes.subarray(at, at + into.length);
        into.set(piece);
        at += piece.length;
        return Promise.resolve(piece.length === 0 ? null : piece.length);
      },
    }, options);
  }

  storeStream(ref: SmallRef, source: ByteSource, options: AdapterCallOptions = {}): Promise<void> {
    return this.#gate.run("Cannot store blob", async () => {
      const there = await this.#look(ref, options);
      // Without the hash in its metadata it may be anything.
      if (there?.b3 === toHex(ref.hash)) return;
      const hasher = createBlake3();
      const first = await readPart(source, hasher);
      if (first.length === S3_PART_BYTES) {
        return await this.#upload(ref, first, source, hasher, options);
      }
      requireHash(ref, hasher.digest());
      const key = this.#keyOf(ref.hash);
      const headers = headersOf(ref);
      await cancelBody(
        await this.#client.send({ method: "PUT", key, headers, body: first, ...options }),
      );
    });
  }

  fetch(ref: BlobRef, options: AdapterCallOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    return this.#gate.run("Cannot fetch blob", async () => {
      const small = requireSmall(ref, "S3");
      const there = await this.#look(small, options);
      if (there === undefined) throw blobNotFound(ref);
      return await this.#collect(small, 0, there.size, there.size, options);
    });
  }

  fetchRange(
    ref: BlobRef,
    start: number,
    end: number,
    options: AdapterCallOptions = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    return this.#gate.run("Cannot read blob", async () => {
      const small = requireSmall(ref, "S3");
      requireRange(start, end);
      if (start === end) return new Uint8Array(0);
      const there = await this.#look(small, options);
      if (there === undefined) throw blobNotFound(ref);
      requireRange(start, end, there.size);
      return await this.#collect(small, start, end, there.size, options);
    });
  }

  /** The pieces as they come; whether they were right is known at the end, which is an error when not. */
  async *fetchStream(
    ref: BlobRef,
    options: AdapterCallOptions = {},
  ): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const small = requireSmall(ref, "S3");
    const leave = await this.#gate.enter("Cannot fetch blob");
    try {
      yield* this.#verified(small, options);
    } finally {
      leave();
    }
  }

  async exists(ref: BlobRef, options: AdapterCallOptions = {}): Promise<boolean> {
    return await this.#look(requireSmall(ref, "S3"), options) !== undefined;
  }

  async delete(ref: BlobRef, options: AdapterCallOptions = {}): Promise<void> {
    const key = this.#keyOf(requireSmall(ref, "S3").hash);
    const accepts = [404];
    await cancelBody(await this.#client.send({ method: "DELETE", key, accepts, ...options }));
  }

  /** Ends uploads in parts that were begun a day ago: a store keeps, and charges for, their parts. */
  async sweep(options: AdapterCallOptions = {}): Promise<number> {
    const query = { uploads: "", prefix: this.#prefix, "max-uploads": "100" };
    const accepts = [501];
    const response = await this.#client.send({
      method: "GET",
      key: "",
      query,
      accepts,
      ...options,
    });
    // A store that lists no uploads is left to its own rules.
    const answer = await S3Client.textOf(response);
    let ended = 0;
    for (const upload of answer.split("<Upload>").slice(1, 101)) {
      const key = readElement(upload, "Key") ?? "";
      const uploadId = readElement(upload, "UploadId") ?? "";
      const begunMs = Date.parse(readElement(upload, "Initiated") ?? "");
      const isOurs = key.startsWith(this.#prefix) &&
        /^[0-9a-f]{2}\/[0-9a-f]{64}$/.test(key.slice(this.#prefix.length));
      if (!isOurs || uploadId === "" || !(this.#clock.wallMs() - begunMs > UPLOAD_LEFT_MS)) {
        continue;
      }
      await this.#abort(key, uploadId, options);
      ended += 1;
    }
    return ended;
  }

  async #look(
    ref: SmallRef,
    options: AdapterCallOptions,
  ): Promise<{ readonly size: number; readonly b3: string | null } | undefined> {
    const key = this.#keyOf(ref.hash);
    const response = await this.#client.send({ method: "HEAD", key, accepts: [404], ...options });
    await cancelBody(response);
    if (response.status === 404) return undefined;
    const size = Number(response.headers.get("content-length") ?? Number.NaN);
    if (Number.isSafeInteger(size)) return { size, b3: response.headers.get(HASH_HEADER) };
    throw new BlobAdapterError(
      "backend",
      "Cannot read object: the store does not say how long it is",
    );
  }

  async *#verified(
    ref: SmallRef,
    options: AdapterCallOptions,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const hasher = createBlake3();
    for await (const piece of this.#read(ref, options)) {
      hasher.update(piece);
      yield piece;
    }
    requireHash(ref, hasher.digest());
  }

  /** A part of an object, all of which is hashed on the way: a part proves nothing about itself. */
  async #collect(
    ref: SmallRef,
    start: number,
    end: number,
    size: number,
    options: AdapterCallOptions,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (end - start > S3_FETCH_BYTES_MAX) {
      throw new BlobAdapterError(
        "limit",
        `Cannot read ${end - start} bytes at once: at most ${S3_FETCH_BYTES_MAX} are given`,
        { next: "read it as a stream, or in smaller ranges" },
      );
    }
    const taken = new Uint8Array(end - start);
    let at = 0;
    for await (const piece of this.#verified(ref, options)) {
      const [from, to] = [Math.max(start - at, 0), Math.min(end - at, piece.length)];
      if (from < to) taken.set(piece.subarray(from, to), at + from - start);
      at += piece.length;
      // One that grew meanwhile is another, and its end may never come.
      if (at > size) {
        throw new BlobAdapterError("decode", `Cannot read object: it is longer than ${size} bytes`);
      }
    }
    return taken;
  }

  /** The bytes of an object, over answers that break off. */
  async *#read(
    ref: SmallRef,
    options: AdapterCallOptions,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const key = this.#keyOf(ref.hash);
    let at = 0;
    let size: number | undefined;
    let failures = 0;
    while (size === undefined || at < size) {
      const headers: Record<string, string> = at === 0 ? {} : { range: `bytes=${at}-` };
      const accepts = [404];
      const response = await this.#client.send({
        method: "GET",
        key,
        headers,
        accepts,
        ...options,
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
        for await (const piece of this.#pieces(response, options)) {
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
        options.signal?.throwIfAborted();
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

  async *#pieces(
    response: Response,
    { signal }: AdapterCallOptions,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    if (response.body === null) return;
    const reader = response.body.getReader();
    const onAbort = () => void reader.cancel(signal?.reason).catch(() => {});
    signal?.addEventListener("abort", onAbort, { once: true });
    let isStalled = false;
    try {
      for (;;) {
        const cancel = this.#clock.after(STALL_MS, () => {
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

  async #upload(
    ref: SmallRef,
    first: Uint8Array<ArrayBuffer>,
    source: ByteSource,
    hasher: Hasher,
    options: AdapterCallOptions,
  ): Promise<void> {
    const key = this.#keyOf(ref.hash);
    const uploadId = await this.#begin(key, ref, options);
    const failed = new AbortController();
    const signal = options.signal === undefined
      ? failed.signal
      : AbortSignal.any([options.signal, failed.signal]);
    const tags: string[] = [];
    const active = new Set<Promise<void>>();
    const send = (number: number, body: Uint8Array<ArrayBuffer>) => {
      const sent = this.#sendPart(key, uploadId, number, body, { signal })
        .then((tag) => void (tags[number - 1] = tag))
        .finally(() => active.delete(sent));
      sent.catch((error) => failed.abort(error)); // The loop below meets it as the signal's reason.
      active.add(sent);
    };
    try {
      let part = first;
      for (let number = 1; part.length > 0; number++) {
        send(number, part);
        if (active.size >= PARTS_ACTIVE_MAX) await Promise.race(active);
        signal.throwIfAborted();
        part = part.length < S3_PART_BYTES ? part.subarray(0, 0) : await readPart(source, hasher);
      }
      await Promise.all(active);
      requireHash(ref, hasher.digest());
      await this.#complete(key, uploadId, tags, options);
    } catch (error) {
      failed.abort(error);
      await Promise.allSettled(active);
      // The first failure is the one to tell; parts that stay are swept later.
      await this.#abort(key, uploadId, {}).catch(() => {});
      throw options.signal?.aborted ? options.signal.reason : error;
    }
  }

  async #begin(key: string, ref: SmallRef, options: AdapterCallOptions): Promise<string> {
    const headers = headersOf(ref);
    const query = { uploads: "" };
    const response = await this.#client.send({ method: "POST", key, query, headers, ...options });
    const uploadId = readElement(await S3Client.textOf(response), "UploadId") ?? "";
    if (uploadId !== "") return uploadId;
    throw new BlobAdapterError("backend", "Cannot begin upload: the store names none");
  }

  async #sendPart(
    key: string,
    uploadId: string,
    number: number,
    body: Uint8Array<ArrayBuffer>,
    options: AdapterCallOptions,
  ): Promise<string> {
    const query = { partNumber: String(number), uploadId };
    const response = await this.#client.send({ method: "PUT", key, query, body, ...options });
    await cancelBody(response);
    const tag = response.headers.get("etag");
    if (tag !== null && tag !== "") return tag;
    throw new BlobAdapterError("backend", `Cannot upload part ${number}: the store gives no tag`);
  }

  async #complete(
    key: string,
    uploadId: string,
    tags: readonly string[],
    options: AdapterCallOptions,
  ): Promise<void> {
    const parts = tags.map((tag, at) =>
      `<Part><PartNumber>${at + 1}</PartNumber><ETag>${escapeXml(tag)}</ETag></Part>`
    );
    const text = `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
    const response = await this.#client.send({
      method: "POST",
      key,
      query: { uploadId },
      headers: { "content-type": "application/xml" },
      body: new TextEncoder().encode(text),
      ...options,
    });
    // The status came before the work was done; what the answer says counts.
    const answer = await S3Client.textOf(response);
    if (readRoot(answer) === "CompleteMultipartUploadResult") return;
    const code = readElement(answer, "Code") ?? "no result";
    throw new BlobAdapterError(
      "backend",
      `Cannot finish upload: the store answers ${code.slice(0, 64)}`,
    );
  }

  async #abort(key: string, uploadId: string, options: AdapterCallOptions): Promise<void> {
    const query = { uploadId };
    const accepts = [404];
    await cancelBody(
      await this.#client.send({ method: "DELETE", key, query, accepts, ...options }),
    );
  }

  #keyOf(hash: Uint8Array): string {
    const hex = toHex(hash);
    return `${this.#prefix}${hex.slice(0, 2)}/${hex}`;
  }
}

type Hasher = ReturnType<typeof createBlake3>;

/** The next part, full unless it is the last, and its bytes in the hash. */
async function readPart(source: ByteSource, hasher: Hasher): Promise<Uint8Array<ArrayBuffer>> {
  const part = new Uint8Array(S3_PART_BYTES);
  let length = 0;
  while (length < part.length) {
    const count = await source.read(part.subarray(length));
    if (count === null) break;
    length += count;
  }
  const bytes = part.subarray(0, length);
  hasher.update(bytes);
  return bytes;
}

function headersOf(ref: SmallRef): Record<string, string> {
  return { "content-type": "application/octet-stream", [HASH_HEADER]: toHex(ref.hash) };
}

function requireHash(ref: SmallRef, actual: Uint8Array): void {
  if (!equalBytes(actual, ref.hash)) throw blobHashMismatch(ref.hash, actual);
}

async function cancelBody(response: Response): Promise<void> {
  await response.body?.cancel();
}

function toBackendError(error: unknown): BlobAdapterError {
  if (error instanceof BlobAdapterError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new BlobAdapterError("backend", `Cannot read object: ${message}`, { cause: error });
}
