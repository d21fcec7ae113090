/** Sends a long blob in parts; the object appears when all of them are there and the hash of the whole is right. */
import { equalBytes } from "../../../base/mod.ts";
import type { createBlake3 } from "../../../core/crypto/mod.ts";
import type { SmallRef } from "../../blob_ref.ts";
import type { ByteSource } from "../../byte_source.ts";
import { type AdapterCallOptions, BlobAdapterError, blobHashMismatch } from "../adapter.ts";
import { cancelBody, S3Client } from "./s3_client.ts";
import { escapeXml, readElement, readRoot } from "./s3_xml.ts";

/** Bytes of a part. The least is 5 MiB and the most parts are 10,000: room for 80 GB. */
export const S3_PART_BYTES = 8 * 1024 * 1024;

/** Parts on their way at once: with the one being filled 32 MiB for an upload. */
const PARTS_ACTIVE_MAX = 3;

/** Hashes the whole on the way. */
export type Hasher = ReturnType<typeof createBlake3>;

/** What is sent where. */
export interface S3UploadOptions extends AdapterCallOptions {
  readonly key: string;
  readonly ref: SmallRef;
  /** Of the object. */
  readonly headers: Readonly<Record<string, string>>;
  /** The first part, full, already in the hash. */
  readonly first: Uint8Array<ArrayBuffer>;
  /** What follows it. */
  readonly source: ByteSource;
  readonly hasher: Hasher;
}

/** Uploads to one bucket. */
export class S3Uploads {
  readonly #client: S3Client;

  constructor(client: S3Client) {
    this.#client = client;
  }

  /**
   * Sends one; when it fails the upload is ended.
   *
   * @throws BlobAdapterError `hash_mismatch`, and as {@linkcode S3Client.send}; what the source throws.
   */
  async send(upload: S3UploadOptions): Promise<void> {
    const { key, ref, headers, first, source, hasher } = upload;
    const options = { signal: upload.signal };
    const uploadId = await this.#begin(key, headers, options);
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
      await this.abort(key, uploadId).catch(() => {});
      throw options.signal?.aborted ? options.signal.reason : error;
    }
  }

  async #begin(
    key: string,
    headers: Readonly<Record<string, string>>,
    options: AdapterCallOptions,
  ): Promise<string> {
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

  /** Ends an upload; its parts go. */
  async abort(key: string, uploadId: string, options: AdapterCallOptions = {}): Promise<void> {
    const query = { uploadId };
    const accepts = [404];
    await cancelBody(
      await this.#client.send({ method: "DELETE", key, query, accepts, ...options }),
    );
  }
}

/** The next part, full unless it is the last, and its bytes in the hash. */
export async function readPart(
  source: ByteSource,
  hasher: Hasher,
): Promise<Uint8Array<ArrayBuffer>> {
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

/** @throws BlobAdapterError `hash_mismatch`. */
export function requireHash(ref: SmallRef, actual: Uint8Array): void {
  if (!equalBytes(actual, ref.hash)) throw blobHashMismatch(ref.hash, actual);
}
