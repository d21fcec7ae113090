/**
 * The work on bytes that takes long: hashes, and products of Reed-Solomon codes. The same code runs in a
 * worker and in line; little else is loaded by a worker, so that it starts soon.
 */
import { blake3, blake3Subtree, galoisAddProducts } from "../../core/crypto/content/mod.ts";
import { type FilesJob, type FilesRead, readFiles } from "../folder/files_job.ts";

/** One piece of work; the bytes of it belong to it until it is done. */
export type WorkJob =
  /** The hash of `bytes`, and as a part of a message that begins so many bytes before, its value. */
  | { readonly kind: "hash"; readonly bytes: Uint8Array; readonly start?: number }
  /** The value of a part of a message alone. */
  | { readonly kind: "subtree"; readonly bytes: Uint8Array; readonly start: number }
  /** Adds the products of `input` with each constant to the outputs, in place. */
  | {
    readonly kind: "products";
    readonly input: Uint8Array;
    readonly constants: Uint8Array;
    readonly outputs: readonly Uint8Array[];
  }
  /** Reads and hashes many small files. */
  | { readonly kind: "files"; readonly files: FilesJob };

/** What a job gives. */
export interface WorkResult {
  /** BLAKE3 of the bytes. */
  readonly hash?: Uint8Array<ArrayBuffer>;
  /** What `Blake3.addSubtree` takes. */
  readonly value?: Uint8Array<ArrayBuffer>;
  /** What became of the files. */
  readonly files?: FilesRead;
}

/** What a file that is read counts for, in bytes that are hashed: 5 µs for its look-ups. */
const FILE_BYTES = 4_096;

/** A job as it is sent: paths as one text, because each text on its own costs as much as to open the file. */
export type SentJob =
  | Exclude<WorkJob, { readonly kind: "files" }>
  | {
    readonly kind: "files";
    readonly files: Omit<FilesJob, "paths"> & { readonly paths: string };
  };

/** To a worker. */
export interface JobMessage {
  readonly id: number;
  readonly job: SentJob;
}

/** Stands between paths, and is in none. */
const PATH_END = "\0";

/** Makes a job ready to be sent. */
export function toSentJob(job: WorkJob): SentJob {
  if (job.kind !== "files") return job;
  const { files } = job;
  return { kind: "files", files: { ...files, paths: files.paths.join(PATH_END) } };
}

/** The job that was sent. */
export function fromSentJob(job: SentJob): WorkJob {
  if (job.kind !== "files") return job;
  const { files } = job;
  const paths = files.paths === "" ? [] : files.paths.split(PATH_END);
  return { kind: "files", files: { ...files, paths } };
}

/** From a worker: it is there, or what became of a job. */
export type WorkerMessage =
  | { readonly kind: "ready" }
  | { readonly kind: "done"; readonly id: number; readonly result: WorkResult }
  | { readonly kind: "failed"; readonly id: number; readonly message: string };

/** Does a job, now. */
export function runJob(job: WorkJob): WorkResult {
  switch (job.kind) {
    case "hash": {
      const { bytes, start } = job;
      const hash = blake3(bytes);
      return start === undefined ? { hash } : { hash, value: blake3Subtree(bytes, start) };
    }
    case "subtree":
      return { value: blake3Subtree(job.bytes, job.start) };
    case "products":
      galoisAddProducts(job.input, job.constants, job.outputs);
      return {};
    case "files":
      return { files: readFiles(job.files) };
  }
}

/** Bytes that a job looks at, about. */
export function jobBytes(job: WorkJob): number {
  if (job.kind === "files") return job.files.paths.length * FILE_BYTES;
  return job.kind === "products" ? job.input.length * job.outputs.length : job.bytes.length;
}

/** True when every thread can see the bytes of a job, so that none need be copied. */
export function isSharedJob(job: WorkJob): boolean {
  if (job.kind === "files") return isShared(job.files.into);
  if (job.kind !== "products") return isShared(job.bytes);
  return isShared(job.input) && job.outputs.every(isShared);
}

function isShared(bytes: Uint8Array): boolean {
  return bytes.buffer instanceof SharedArrayBuffer;
}
