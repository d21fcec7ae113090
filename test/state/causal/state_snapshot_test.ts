import assert from "node:assert/strict";
import fc from "fast-check";
import {
  createNoiseKeyPair,
  openIdentityEnvelope,
  sealIdentityEnvelope,
} from "../../../src/core/crypto/mod.ts";
import {
  CausalError,
  decodeStateSnapshot,
  encodeCausalLink,
  encodeStateSnapshot,
  SnapshotStore,
  type StateSnapshot,
  stateSnapshotBytes,
} from "../../../src/state/mod.ts";
import { anyPayload, eventsOf, snapshotBehind, WRITER } from "./chain_samples.ts";

const EVENTS = eventsOf(WRITER.originHash, 9);
const at = (sequence: number, state?: Uint8Array): StateSnapshot =>
  snapshotBehind(EVENTS[sequence - 1] ?? assert.fail(), state);

Deno.test("decodeStateSnapshot() gives back what encodeStateSnapshot() wrote", () => {
  const envelope = fc.option(
    fc.uint8Array({ minLength: 209, maxLength: 209 }).map((bytes) =>
      Uint8Array.from(bytes.with(0, 1))
    ),
    { nil: undefined },
  );
  fc.assert(
    fc.property(anyPayload, anyPayload, envelope, (state, bindings, sealed) => {
      const snapshot = { ...at(3, state), bindings, envelope: sealed };
      const bytes = encodeStateSnapshot(snapshot);
      assert.equal(bytes.length, stateSnapshotBytes(snapshot));
      const decoded = decodeStateSnapshot(bytes);
      assert.ok(decoded.ok);
      assert.deepEqual(decoded.snapshot, snapshot);
      for (let length = 0; length < bytes.length; length += 7) {
        assert.ok(!decodeStateSnapshot(bytes.subarray(0, length)).ok);
      }
    }),
    { numRuns: 40 },
  );
});

Deno.test("decodeStateSnapshot() says why bytes are no snapshot", () => {
  const good = encodeStateSnapshot(at(3));
  const fault = (bytes: Uint8Array) => {
    const decoded = decodeStateSnapshot(bytes);
    return decoded.ok ? undefined : decoded.fault;
  };
  assert.equal(fault(good), undefined);
  assert.equal(fault(good.slice(0, -1)), "length");
  assert.equal(fault(Uint8Array.of(...good, 0)), "trailing");
  assert.equal(fault(good.with(0, 0x63)), "magic");
  assert.equal(fault(good.with(4, 1)), "version");
  assert.equal(fault(good.with(37, 4)), "sequence");
  assert.equal(fault(good.with(good.length - 1, 2)), "flag");
  assert.equal(fault(good.with(good.length - 1, 1)), "length");
  assert.equal(fault(good.with(5, (good[5] ?? 0) ^ 1)), "origin");
  assert.equal(fault(good.with(45, (good[45] ?? 0) ^ 1)), "origin");
  const envelope = new Uint8Array(209).fill(1);
  const sealed = encodeStateSnapshot({ ...at(3), envelope });
  assert.equal(fault(sealed), undefined);
  assert.equal(fault(sealed.with(good.length, 2)), "envelope");
  // Lengths that lead far beyond the end.
  assert.equal(fault(good.with(88, 0xff)), "length");
  assert.equal(fault(good.with(95, 0xff)), "length");
});

Deno.test("encodeStateSnapshot() refuses parts that do not belong together", () => {
  const refused = (change: Partial<StateSnapshot>, text: RegExp) =>
    assert.throws(() => encodeStateSnapshot({ ...at(3), ...change }), (error: unknown) => {
      assert.ok(error instanceof CausalError);
      return error.kind === "snapshot" && text.test(error.message);
    });
  refused({ entityId: new Uint8Array(31) }, /entity id is 31 bytes/);
  refused({ entityId: new Uint8Array(32) }, /another origin/);
  refused({ envelope: new Uint8Array(208).fill(1) }, /none of version 1/);
  refused({ envelope: new Uint8Array(209) }, /none of version 1/);
});

Deno.test("a snapshot's envelope opens for the node it moves to, with the snapshot's link", () => {
  const target = createNoiseKeyPair(new Uint8Array(32).fill(9));
  const seed = new Uint8Array(32).fill(7);
  const causalLink = encodeCausalLink(at(3).link);
  const envelope = sealIdentityEnvelope({ seed, targetKey: target.publicKey, causalLink });
  const decoded = decodeStateSnapshot(encodeStateSnapshot({ ...at(3), envelope }));
  assert.ok(decoded.ok && decoded.snapshot.envelope !== undefined);
  const { entityId, link } = decoded.snapshot;
  const open = (link: Uint8Array) =>
    openIdentityEnvelope(decoded.snapshot.envelope ?? assert.fail(), {
      target,
      signer: entityId,
      causalLink: link,
    });
  assert.ok(open(encodeCausalLink(link)).ok);
  assert.ok(!open(encodeCausalLink(at(4).link)).ok);
});

Deno.test("SnapshotStore keeps the newest of an entity, and what it was when it is gone", () => {
  const store = new SnapshotStore();
  assert.equal(store.put(at(5)), "stored");
  assert.equal(store.put(at(5)), "stale");
  assert.equal(store.put(at(4)), "stale");
  assert.equal(store.put(at(6)), "stored");
  assert.equal(store.get(WRITER.entityId)?.link.sequence, 6n);
  assert.equal(store.bytes, stateSnapshotBytes(at(6)));
  assert.equal(store.remove(WRITER.entityId)?.link.sequence, 6n);
  assert.equal(store.remove(WRITER.entityId), undefined);
  assert.deepEqual([store.size, store.bytes], [0, 0]);
  assert.equal(store.put(at(6)), "stale");
  assert.equal(store.highestSequence(WRITER.entityId), 6n);
  assert.equal(store.put(at(7)), "stored");
});

Deno.test("SnapshotStore has bounds: entities, bytes, and marks of those removed", () => {
  const of = (entity: number, bytes = 0): StateSnapshot => ({
    ...at(1, new Uint8Array(bytes)),
    entityId: new Uint8Array(32).fill(entity),
  });
  const store = new SnapshotStore({ entitiesMax: 2, bytesMax: 1_000, marksMax: 1 });
  assert.deepEqual([of(1), of(2), of(3)].map((snapshot) => store.put(snapshot)), [
    "stored",
    "stored",
    "full",
  ]);
  assert.equal(store.put({ ...of(1, 2_000), link: at(2).link }), "full");
  assert.equal(store.get(of(1).entityId)?.link.sequence, 1n);
  store.remove(of(1).entityId);
  assert.equal(store.put(of(1)), "stale");
  assert.equal(store.put(of(3)), "stored");
  store.remove(of(3).entityId);
  assert.equal(store.marksForgotten, 1);
  assert.equal(store.highestSequence(of(1).entityId), undefined);
  assert.equal(store.highestSequence(of(3).entityId), 1n);
});
