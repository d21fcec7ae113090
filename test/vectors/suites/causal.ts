/** Chains of linked events, snapshots, proofs, forks and Bloom bits. */

import assert from "node:assert/strict";
import { idToHex } from "../../../src/base/mod.ts";
import { createIdentity } from "../../../src/core/crypto/mod.ts";
import {
  CausalChain,
  type CausalEvent,
  checkLink,
  decodeCausalLink,
  decodeContinuityProof,
  decodeEventFrames,
  decodeForkRecord,
  decodeStateSnapshot,
  encodeCausalLink,
  encodeContinuityProof,
  encodeEventFrames,
  encodeForkRecord,
  encodeStateSnapshot,
  EntityLog,
  eventHash,
  forkEntity,
  forkSentinel,
  genesisEvent,
  horizonBits,
  mayHaveSeen,
  ObservedHorizon,
  type StateSnapshot,
} from "../../../src/state/mod.ts";
import type { VectorSuite } from "../suite.ts";
import {
  bytesOf,
  hexBytes,
  integerOf,
  listOf,
  numberOf,
  objectOf,
  recordOf,
  textOf,
  type VectorObject,
} from "../vector_reader.ts";

/** Suites of this file by vector file. */
export const CAUSAL_SUITES: Readonly<Record<string, VectorSuite>> = {
  "storage/causal_chain.json": (document) => {
    const file = objectOf(document, "file");
    const computed = recordOf(file, "computed");
    const identity = {
      seed: textOf(file, "seed"),
      entity_id: textOf(file, "entity_id"),
      origin_hash: textOf(file, "origin_hash"),
    };
    return {
      identity: { cases: [identity], check: checkIdentity },
      snapshots: {
        cases: listOf(file, "snapshots").map((bytes, index) => ({ bytes, index })),
        check: (vector) => checkSnapshot(file, vector),
      },
      inputs: { cases: [file], check: checkOutputs },
      chain: { cases: pairsOf(file), check: checkPair },
      restored: {
        cases: [recordOf(file, "restored_then_one")],
        check: (vector) => checkRestored(snapshotOf(snapshotBytes(file, 3)), vector),
      },
      "computed.chain": { cases: pairsOf(computed), check: checkPair },
      framing: { cases: [computed], check: checkFraming },
      proof: { cases: [computed], check: checkProof },
      "computed.fork_sentinels": checkSentinel,
      fork_record: { cases: [recordOf(computed, "fork_record")], check: checkForkRecord },
      "computed.horizon_bloom": checkBloom,
      "computed.snapshot_rejects": {
        cases: listOf(computed, "snapshot_rejects").map((why) => ({ why })),
        check: (vector) => checkReject(snapshotBytes(file, 1), vector),
      },
    };
  },
};

/** A number written as `0x…`. */
function hexNumber(vector: VectorObject, field: string): bigint {
  return BigInt(textOf(vector, field));
}

function checkIdentity(vector: VectorObject): void {
  const { entityId, originHash } = createIdentity(bytesOf(vector, "seed"));
  assert.deepEqual(entityId, bytesOf(vector, "entity_id"));
  assert.equal(`0x${idToHex(originHash)}`, textOf(vector, "origin_hash"));
}

function eventOf(value: unknown): CausalEvent {
  const vector = objectOf(value, "event");
  const link = decodeCausalLink(bytesOf(vector, "link"));
  assert.ok(link !== undefined);
  assert.deepEqual(encodeCausalLink(link), bytesOf(vector, "link"));
  return { link, payload: bytesOf(vector, "payload") };
}

/** Every event of a chain with the one before it. */
function pairsOf(vector: VectorObject): VectorObject[] {
  const chain = listOf(vector, "chain");
  return chain.map((event, index) => ({ event, before: chain[index - 1] }));
}

function checkPair(vector: VectorObject): void {
  const event = eventOf(vector.event);
  if (vector.before === undefined) {
    assert.deepEqual(event, genesisEvent(event.link.origin));
    return;
  }
  const before = eventOf(vector.before);
  assert.equal(checkLink(before, event.link), undefined);
  const chain = CausalChain.after(before.link, before.payload);
  assert.deepEqual(chain.append(event.payload, event.link.horizon), event);
  const own = objectOf(vector.event, "event").own_hash;
  if (own !== undefined) assert.equal(eventHash(event.link, event.payload), BigInt(String(own)));
}

function snapshotBytes(file: VectorObject, index: number): Uint8Array<ArrayBuffer> {
  return hexBytes(listOf(file, "snapshots")[index], "snapshot");
}

function snapshotOf(bytes: Uint8Array): StateSnapshot {
  const decoded = decodeStateSnapshot(bytes);
  assert.ok(decoded.ok, "it is a snapshot");
  assert.deepEqual(encodeStateSnapshot(decoded.snapshot), bytes);
  return decoded.snapshot;
}

/** The head of a snapshot is the link of the chain that had been emitted. */
function checkSnapshot(file: VectorObject, vector: VectorObject): void {
  const index = numberOf(vector, "index");
  const snapshot = snapshotOf(snapshotBytes(file, index));
  assert.deepEqual(snapshot.entityId, bytesOf(file, "entity_id"));
  assert.deepEqual(snapshot.link, eventOf(listOf(file, "chain")[index * 2]).link);
  assert.equal(new TextDecoder().decode(snapshot.state), `STATE:${index}`);
  assert.equal(snapshot.bindings.length, 0);
  assert.equal(snapshot.envelope, undefined);
}

/** What a daemon that gets these inputs emits: the whole chain, from the rules. */
function checkOutputs(file: VectorObject): void {
  const chain = new CausalChain(hexNumber(file, "origin_hash"));
  const log = new EntityLog(bytesOf(file, "entity_id"));
  const horizon = new ObservedHorizon();
  for (const value of listOf(file, "inputs")) {
    const input = objectOf(value, "input");
    horizon.observe(hexNumber(input, "origin"), BigInt(textOf(input, "seq")));
    for (const output of listOf(input, "outputs")) {
      const event = chain.append(new TextEncoder().encode(String(output)), horizon.bits);
      assert.equal(log.append(event), undefined);
    }
  }
  const expected = listOf(file, "chain").slice(1).map(eventOf);
  assert.deepEqual(log.range(0n, 100n), expected);
}

/**
 * The next event of a daemon that was restored from the last of the snapshots: hashed over the state, and with
 * nothing in its horizon but the one input.
 */
function checkRestored(before: StateSnapshot, vector: VectorObject): void {
  const after = snapshotOf(bytesOf(vector, "snapshot"));
  const delivered = recordOf(vector, "delivered");
  const horizon = new ObservedHorizon();
  horizon.observe(hexNumber(delivered, "origin"), BigInt(textOf(delivered, "seq")));
  const chain = CausalChain.afterSnapshot(before);
  const output = new TextEncoder().encode(textOf(vector, "output"));
  assert.deepEqual(chain.append(output, horizon.bits).link, after.link);
}

function checkFraming(vector: VectorObject): void {
  const framed = bytesOf(vector, "framed_events");
  const count = numberOf(vector, "framed_count");
  const { events, bytesRead, isComplete } = decodeEventFrames(framed, count);
  assert.ok(isComplete && bytesRead === framed.length);
  assert.deepEqual(events, listOf(vector, "chain").slice(1).map(eventOf));
  assert.deepEqual(encodeEventFrames(events), framed);
  // Reading stops at the first malformed frame.
  const cut = decodeEventFrames(framed.subarray(0, framed.length - 1), count);
  assert.deepEqual(cut.events, events.slice(0, -1));
  assert.ok(!cut.isComplete);
}

function checkProof(vector: VectorObject): void {
  const bytes = bytesOf(recordOf(vector, "continuity_proof"), "bytes");
  const fields = recordOf(recordOf(vector, "continuity_proof"), "fields");
  const proof = decodeContinuityProof(bytes);
  assert.deepEqual(proof, {
    origin: hexNumber(fields, "origin"),
    fromSequence: integerOf(fields, "from_seq"),
    toSequence: integerOf(fields, "to_seq"),
    fromHash: hexNumber(fields, "from_hash"),
    toHash: hexNumber(fields, "to_hash"),
  });
  assert.deepEqual(encodeContinuityProof(proof), bytes);
  const [first, , , last] = listOf(vector, "chain").slice(1).map(eventOf);
  assert.ok(first !== undefined && last !== undefined);
  assert.equal(eventHash(first.link, first.payload), proof.fromHash);
  assert.equal(eventHash(last.link, last.payload), proof.toHash);
}

function checkSentinel(vector: VectorObject): void {
  const sequence = BigInt(textOf(vector, "fork_seq"));
  const sentinel = forkSentinel(hexNumber(vector, "original_origin"), sequence);
  assert.equal(sentinel, hexNumber(vector, "sentinel"));
}

function checkForkRecord(vector: VectorObject): void {
  const fields = recordOf(vector, "fields");
  const record = decodeForkRecord(bytesOf(vector, "bytes"));
  const made = forkEntity({
    originalOrigin: hexNumber(fields, "original_origin"),
    forkedOrigin: hexNumber(fields, "forked_origin"),
    forkSequence: integerOf(fields, "fork_seq"),
    snapshotSequence: integerOf(fields, "from_snapshot_seq"),
  });
  assert.deepEqual(record, made.record);
  assert.deepEqual(encodeForkRecord(made.record), bytesOf(vector, "bytes"));
}

function checkBloom(vector: VectorObject): void {
  const origin = hexNumber(vector, "origin");
  const bits = hexNumber(vector, "bits");
  assert.equal(horizonBits(origin), bits);
  assert.ok(mayHaveSeen(bits, origin) && !mayHaveSeen(bits & (bits - 1n), origin));
}

/** Changes a good snapshot as the case says. */
const SPOIL: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
  "truncated by one byte": (bytes) => bytes.slice(0, -1),
  "one trailing byte": (bytes) => Uint8Array.of(...bytes, 0),
  "version 1": (bytes) => bytes.with(4, 1),
  "bad magic": (bytes) => bytes.with(0, 0x44),
  "through_seq not equal to link sequence": (bytes) => bytes.with(37, 9),
  "envelope flag 2": (bytes) => bytes.with(bytes.length - 1, 2),
};

function checkReject(good: Uint8Array, vector: VectorObject): void {
  const spoil = SPOIL[textOf(vector, "why")];
  assert.ok(spoil !== undefined, "the case is known");
  assert.ok(decodeStateSnapshot(good).ok);
  assert.ok(!decodeStateSnapshot(spoil(good)).ok);
}
