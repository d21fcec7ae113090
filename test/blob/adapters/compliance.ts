/** What every adapter promises (`dataforts.md` 8), run over each of them. */
import assert from "node:assert/strict";
import { concatBytes, utf8 } from "../../../src/base/mod.ts";
import {
  type BlobAdapter,
  BlobAdapterError,
  type SmallRef,
  storeFrom,
  streamFrom,
} from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";

/** The reference of bytes under a scheme. */
export function smallRef(bytes: Uint8Array, scheme = "file"): SmallRef {
  return { kind: "small", uri: `${scheme}:///x`, hash: blake3(bytes), size: bytes.length };
}

/** True for an error of that kind. */
export function isKind(kind: string): (error: unknown) => boolean {
  return (error) => error instanceof BlobAdapterError && error.kind === kind;
}

/** Bytes in pieces of a length. */
export function pieces(bytes: Uint8Array, pieceBytes = 100_000) {
  let at = 0;
  return {
    read: (into: Uint8Array) => {
      const piece = bytes.subarray(at, at + Math.min(into.length, pieceBytes));
      into.set(piece);
      at += piece.length;
      return Promise.resolve(piece.length === 0 ? null : piece.length);
    },
  };
}

/** Everything of a stream. */
export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of stream) all.push(piece);
  return concatBytes(...all);
}

/** Options of {@linkcode checkAdapter}. */
export interface ComplianceOptions {
  /** False where deleting does nothing. */
  readonly deletes?: boolean;
  /** Length of the longest blob. */
  readonly longBytes?: number;
}

/** Runs the list over an empty adapter. */
export async function checkAdapter(
  adapter: BlobAdapter,
  { deletes = true, longBytes = 600_000 }: ComplianceOptions = {},
): Promise<void> {
  const [scheme = "file"] = adapter.schemes;
  const bytes = new Uint8Array(longBytes).map((_, i) => i * 31 + (i >>> 12));
  const ref = smallRef(bytes, scheme);
  const other = smallRef(utf8("other"), scheme);
  const empty = smallRef(new Uint8Array(), scheme);
  const missing = smallRef(utf8("never stored"), scheme);

  assert.equal(await adapter.exists(ref), false);
  await assert.rejects(adapter.fetch(ref), isKind("not_found"));
  await assert.rejects(collect(streamFrom(adapter, ref)), isKind("not_found"));
  await assert.rejects(adapter.fetchRange(ref, 0, 1), isKind("not_found"));

  await adapter.store(ref, bytes);
  assert.equal(await adapter.exists(ref), true);
  assert.deepEqual(await adapter.fetch(ref), bytes);
  assert.deepEqual(await collect(streamFrom(adapter, ref)), bytes);
  assert.deepEqual(await adapter.fetchRange(ref, 262_140, 262_150), bytes.slice(262_140, 262_150));
  assert.deepEqual(await adapter.fetchRange(ref, 0, longBytes), bytes);
  assert.deepEqual(await adapter.fetchRange(ref, 9, 9), new Uint8Array());
  await assert.rejects(adapter.fetchRange(ref, 1, longBytes + 1), isKind("range"));
  await assert.rejects(adapter.fetchRange(ref, 2, 1), isKind("range"));

  await adapter.store(ref, bytes);
  await adapter.store(other, utf8("other"));
  await storeFrom(adapter, empty, pieces(new Uint8Array()));
  assert.deepEqual(await adapter.fetch(ref), bytes);
  assert.deepEqual(await adapter.fetch(other), utf8("other"));
  assert.equal((await adapter.fetch(empty)).length, 0);
  assert.equal(await adapter.exists(missing), false);

  await assert.rejects(
    adapter.store(ref, utf8("wrong").slice()),
    (error) => isKind("hash_mismatch")(error) || isKind("decode")(error),
  );
  const wrong = { ...missing, size: 5 };
  await assert.rejects(adapter.store(wrong, utf8("wrong")), isKind("hash_mismatch"));
  await assert.rejects(storeFrom(adapter, wrong, pieces(utf8("wrong"))), isKind("hash_mismatch"));
  assert.equal(await adapter.exists(wrong), false);
  assert.deepEqual(await adapter.fetch(ref), bytes);

  const streamed = new Uint8Array(longBytes + 7).map((_, i) => i * 17 + (i >>> 10));
  const streamedRef = smallRef(streamed, scheme);
  await storeFrom(adapter, streamedRef, pieces(streamed));
  assert.deepEqual(await collect(streamFrom(adapter, streamedRef)), streamed);

  await adapter.delete(ref);
  await adapter.delete(ref);
  if (deletes) assert.equal(await adapter.exists(ref), false);
  assert.deepEqual(await adapter.fetch(other), utf8("other"));
}
