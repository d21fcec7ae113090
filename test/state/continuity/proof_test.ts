import assert from "node:assert/strict";
import fc from "fast-check";
import {
  CausalChain,
  type CausalEvent,
  decodeContinuityProof,
  encodeContinuityProof,
  EntityLog,
  proveContinuity,
  verifyContinuity,
} from "../../../src/state/mod.ts";
import { eventsOf, flipBit, snapshotBehind, WRITER } from "../causal/chain_samples.ts";

const EVENTS = eventsOf(WRITER.originHash, 9);

function logOf(events: readonly CausalEvent[]): EntityLog {
  const log = new EntityLog(WRITER.entityId);
  for (const event of events) assert.equal(log.append(event), undefined);
  return log;
}

Deno.test("verifyContinuity() takes every proof of a log, and refuses any changed bit of it", () => {
  const log = logOf(EVENTS);
  const end = fc.bigInt(1n, 9n);
  fc.assert(fc.property(end, end, fc.nat({ max: 319 }), (one, other, bit) => {
    const [from, to] = one < other ? [one, other] : [other, one];
    const proof = proveContinuity(log, from, to);
    assert.ok(proof !== undefined);
    assert.equal(verifyContinuity(proof, log), undefined);
    const bytes = encodeContinuityProof(proof);
    assert.deepEqual(decodeContinuityProof(bytes), proof);
    const changed = decodeContinuityProof(flipBit(bytes, bit));
    assert.ok(changed !== undefined && verifyContinuity(changed, log) !== undefined);
  }));
  assert.equal(decodeContinuityProof(new Uint8Array(39)), undefined);
  assert.equal(decodeContinuityProof(new Uint8Array(41)), undefined);
});

Deno.test("verifyContinuity() says what is wrong, in its order", () => {
  const log = logOf(EVENTS);
  const proof = proveContinuity(log, 2n, 5n);
  assert.ok(proof !== undefined);
  const kind = (change: Partial<typeof proof>) => verifyContinuity({ ...proof, ...change }, log);
  assert.equal(kind({ origin: 1n, toSequence: 1n })?.kind, "origin_mismatch");
  assert.equal(kind({ fromSequence: 6n })?.kind, "invalid_range");
  assert.equal(kind({ toSequence: 100_002n })?.kind, "span_too_large");
  assert.deepEqual(kind({ toSequence: 100_001n }), { kind: "missing_event", sequence: 10n });
  assert.deepEqual(kind({ fromSequence: 0n }), { kind: "missing_event", sequence: 0n });
  assert.deepEqual(kind({ fromHash: 1n }), {
    kind: "hash_mismatch",
    sequence: 2n,
    expected: 1n,
    found: proof.fromHash,
  });
  assert.equal(kind({ toHash: 1n })?.kind, "hash_mismatch");
  log.pruneThrough(3n);
  assert.deepEqual(kind({}), { kind: "missing_event", sequence: 2n });
  log.pruneThrough(9n);
  assert.deepEqual(kind({}), { kind: "missing_event", sequence: 2n });
  assert.equal(proveContinuity(log), undefined);
});

Deno.test("verifyContinuity() finds a log that went another way between the same ends", () => {
  const mine = logOf(EVENTS);
  const proof = proveContinuity(mine, 1n, 4n);
  const chain = new CausalChain(WRITER.originHash);
  const others = Array.from(
    { length: 4 },
    (_, index) =>
      chain.append(index === 1 ? Uint8Array.of(99) : EVENTS[index]?.payload ?? new Uint8Array()),
  );
  assert.ok(proof !== undefined);
  assert.deepEqual(verifyContinuity(proof, logOf(others))?.kind, "hash_mismatch");
});

Deno.test("verifyContinuity() goes across a restore that the log was told of", () => {
  const log = logOf(EVENTS);
  const snapshot = snapshotBehind(log.head);
  log.noteRestore(snapshot);
  const chain = CausalChain.afterSnapshot(snapshot);
  for (let count = 0; count < 3; count++) {
    assert.equal(log.append(chain.append(Uint8Array.of(count))), undefined);
  }
  const proof = proveContinuity(log);
  assert.ok(proof?.fromSequence === 1n && proof.toSequence === 12n);
  assert.equal(verifyContinuity(proof, log), undefined);
});

Deno.test("proveContinuity() of a log that is too long for one proof proves its end", () => {
  const log = new EntityLog(WRITER.entityId);
  const chain = new CausalChain(WRITER.originHash);
  for (let count = 0; count < 100_001; count++) log.append(chain.append(new Uint8Array()));
  const proof = proveContinuity(log);
  assert.ok(proof?.fromSequence === 2n && proof.toSequence === 100_001n);
  assert.equal(verifyContinuity(proof, log), undefined);
});
