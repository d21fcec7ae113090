/**
 * Measures what blobs cost on this node: a put and a read through its own store, and the codecs alone in memory
 * on one core. What was put is removed again.
 */
import {
  CHUNK_BYTES,
  CONTENT_DEFINED_CHUNKING,
  createCutter,
  createStripeBuilder,
  formatEncoding,
  PLAIN_FORM,
  type PutForm,
  readBlob,
  STRIPE_CODE,
} from "../../blob/mod.ts";
import { blake3 } from "../../core/crypto/mod.ts";
import type { Storage } from "../storage.ts";

/** Options of {@linkcode measureBlobs}. */
export interface MeasureBlobsOptions {
  /** Of each put. */
  readonly sizeBytes: number;
  readonly signal?: AbortSignal;
}

/** Rates in 10^6 bytes of payload a second. */
export interface BlobMeasures {
  readonly size: number;
  readonly rates: readonly { readonly name: string; readonly mb_s: number }[];
}

/** Bytes the codecs work on. */
const CODEC_BYTES = 40 * 1024 * 1024;

/**
 * Measures.
 *
 * @throws NetError `no_space`; the signal's reason. What was put until then is removed.
 */
export async function measureBlobs(
  storage: Pick<Storage, "blobs" | "work">,
  { sizeBytes, signal }: MeasureBlobsOptions,
): Promise<BlobMeasures> {
  const block = new Uint8Array(CODEC_BYTES);
  for (let at = 0; at < block.length; at += 65_536) {
    crypto.getRandomValues(block.subarray(at, at + 65_536));
  }
  const code = { kind: "reed_solomon", ...STRIPE_CODE } as const;
  const forms: readonly (readonly [string, PutForm])[] = [
    ["", PLAIN_FORM],
    ["_cdc", { ...PLAIN_FORM, chunking: CONTENT_DEFINED_CHUNKING }],
    [`_ec_${formatEncoding(code).replace("+", "_")}`, { ...PLAIN_FORM, encoding: code }],
  ];
  const rates: { name: string; mb_s: number }[] = [];
  const note = (name: string, bytes: number, startMs: number) => {
    rates.push({ name, mb_s: Math.round(bytes / (performance.now() - startMs) / 1_000) });
  };
  for (const [suffix, form] of forms) {
    let startMs = performance.now();
    const source = mixedSource(block, sizeBytes, rates.length);
    const stored = await storage.blobs.put(source, { form, label: "bench", signal });
    note(`put${suffix}`, sizeBytes, startMs);
    try {
      startMs = performance.now();
      const reader = { read: (hash: Uint8Array) => storage.blobs.readChunk(hash) };
      for await (const _ of readBlob(stored.ref, { reader, work: storage.work, signal }));
      note(`get${suffix}`, sizeBytes, startMs);
    } finally {
      await storage.blobs.remove(stored.hash);
    }
  }
  let startMs = performance.now();
  const cutter = createCutter(CONTENT_DEFINED_CHUNKING);
  for (let at = 0; at < block.length;) {
    const size = cutter.find(block.subarray(at));
    if (size === 0) break;
    at += size;
  }
  note("cdc", block.length, startMs);
  await turn(signal);
  startMs = performance.now();
  const stripes = createStripeBuilder(STRIPE_CODE);
  const hash = new Uint8Array(32);
  let workedMs = 0;
  for (let at = 0; at < block.length; at += CHUNK_BYTES) {
    const chunkStartMs = performance.now();
    stripes.add({ hash, bytes: block.subarray(at, at + CHUNK_BYTES) });
    workedMs += performance.now() - chunkStartMs;
    await turn(signal);
  }
  rates.push({ name: "rs_encode", mb_s: Math.round(block.length / workedMs / 1_000) });
  workedMs = 0;
  for (let at = 0; at < block.length; at += CHUNK_BYTES) {
    const chunkStartMs = performance.now();
    blake3(block.subarray(at, at + CHUNK_BYTES));
    workedMs += performance.now() - chunkStartMs;
    await turn(signal);
  }
  rates.push({ name: "blake3", mb_s: Math.round(block.length / workedMs / 1_000) });
  return { size: sizeBytes, rates };
}

/** `length` bytes of which no two chunks are the same, so that none is stored once for many. */
function mixedSource(block: Uint8Array, length: number, seed: number) {
  let at = 0;
  return {
    read: (into: Uint8Array) => {
      if (at >= length) return Promise.resolve(null);
      const from = (at * 31 + seed * 7_919) % block.length;
      const count = Math.min(into.length, length - at, block.length - from, 1024 * 1024);
      into.set(block.subarray(from, from + count));
      new DataView(into.buffer, into.byteOffset).setUint32(0, at + seed);
      at += count;
      return Promise.resolve(count);
    },
  };
}

async function turn(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  signal?.throwIfAborted();
}
