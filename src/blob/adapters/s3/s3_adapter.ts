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
import { cancelBody, S3Client, type S3ClientDeps, type S3Place } from "./s3_client.ts";
import { readObject } from "./s3_reader.ts";
import { readPart, requireHash, S3_PART_BYTES, S3Uploads } from "./s3_uploads.ts";
import { readElement } from "./s3_xml.ts";
import type { S3Credentials } from "./sigv4.ts";

/** Most of a blob that is given at once; larger ones are read as a stream. */
export const S3_FETCH_BYTES_MAX = 1024 ** 3;

/** Uploads that are so old were left by somebody who ended. */
const UPLOAD_LEFT_MS = 24 * 3_600_000;

/** Calls at work at once, each with up to four parts in memory; and those that wait, which hold what they store. */
export const S3_CALLS_MAX = 16;
export const S3_CALLS_WAITING_MAX = 1_024;

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
  readonly #uploads: S3Uploads;
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
    this.#uploads = new S3Uploads(this.#client);
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
      const key = this.#keyOf(ref.hash);
      const headers = headersOf(ref);
      const hasher = createBlake3();
      const first = await readPart(source, hasher);
      if (first.length === S3_PART_BYTES) {
        return await this.#uploads.send({ key, ref, headers, first, source, hasher, ...options });
      }
      requireHash(ref, hasher.digest());
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
      await this.#uploads.abort(key, uploadId, options);
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
    const from = { client: this.#client, clock: this.#clock, key: this.#keyOf(ref.hash), ref };
    for await (const piece of readObject({ ...from, ...options })) {
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

  #keyOf(hash: Uint8Array): string {
    const hex = toHex(hash);
    return `${this.#prefix}${hex.slice(0, 2)}/${hex}`;
  }
}

function headersOf(ref: SmallRef): Record<string, string> {
  return { "content-type": "application/octet-stream", [HASH_HEADER]: toHex(ref.hash) };
}
