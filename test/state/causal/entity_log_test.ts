import assert from "node:assert/strict";
import fc from "fast-check";
import {
  CausalChain,
  CausalError,
  type CausalEvent,
  decodeEventFrames,
  encodeEventFrames,
  EntityLog,
  genesisEvent,
} from "../../../src/state/mod.ts";
import { anyPayloads, eventsOf, flipBit, snapshotBehind, WRITER } from "./chain_samples.ts";

function logOf(events: readonly CausalEvent[]): EntityLog {
  const log = new EntityLog(WRITER.entityId);
  for (const event of events) assert.equal(log.append(event), undefined);
  return log;
}

const EVENTS = eventsOf(WRITER.originHash, 9);
const EVENT = (index: number): CausalEvent => EVENTS[index] ?? assert.fail();

Deno.test("EntityLog takes a chain in order, and nothing twice", () => {
  const log = logOf(EVENTS);
  assert.equal(log.size, 9);
  assert.deepEqual(log.append(EVENT(3)), { kind: "duplicate", sequence: 4n });
  assert.deepEqual(log.head, EVENTS[8]);
});

Deno.test("EntityLog refuses gaps, other origins, and any changed bit of a link's place", () => {
  const log = logOf(EVENTS.slice(0, 3));
  assert.equal(log.append(EVENT(4))?.kind, "sequence_gap");
  assert.equal(log.append(eventsOf(5n, 4)[3]!)?.kind, "origin_mismatch");
  const frame = encodeEventFrames([EVENT(3)]);
  const changed = (bit: number) =>
    decodeEventFrames(flipBit(frame, 32 + bit), 1).events[0] ?? assert.fail();
  // The horizon and the payload are covered by the parent hash of the next event only.
  for (let bit = 0; bit < 32 * 8; bit++) {
    if (bit >= 64 && bit < 128) continue;
    assert.notEqual(log.append(changed(bit)), undefined, `bit ${bit}`);
  }
  for (let bit = 64; bit < (frame.length - 4) * 8; bit++) {
    if (bit >= 128 && bit < 256) continue;
    const mislead = logOf(EVENTS.slice(0, 3));
    assert.equal(mislead.append(changed(bit)), undefined);
    assert.equal(mislead.append(EVENT(4))?.kind, "parent_hash_mismatch", `bit ${bit}`);
  }
});

Deno.test("EntityLog takes genesis at its beginning and keeps nothing of it", () => {
  const log = new EntityLog(WRITER.entityId);
  const genesis = genesisEvent(WRITER.originHash);
  assert.equal(log.append(genesis), undefined);
  assert.equal(log.size, 0);
  assert.equal(log.append({ ...genesis, payload: Uint8Array.of(1) })?.kind, "sequence_gap");
  assert.equal(log.append(EVENT(0)), undefined);
  assert.equal(log.append(genesis)?.kind, "duplicate");
});

Deno.test("EntityLog.range() has both ends in it, EntityLog.after() the events behind", () => {
  const log = logOf(EVENTS);
  log.pruneThrough(2n);
  fc.assert(fc.property(fc.bigInt(0n, 12n), fc.bigInt(0n, 12n), (from, to) => {
    const kept = EVENTS.filter(({ link }) => link.sequence > 2n);
    const inside = kept.filter(({ link }) => link.sequence >= from && link.sequence <= to);
    assert.deepEqual(log.range(from, to), inside);
    assert.deepEqual(log.after(from), kept.filter(({ link }) => link.sequence > from));
  }));
});

Deno.test("EntityLog keeps the last pruned event as the base of the next one", () => {
  fc.assert(fc.property(anyPayloads, fc.nat({ max: 14 }), (payloads, through) => {
    const chain = new CausalChain(WRITER.originHash);
    const events = payloads.map((payload) => chain.append(payload));
    const log = logOf(events);
    const gone = log.pruneThrough(BigInt(through));
    assert.equal(gone, Math.min(through, events.length));
    assert.equal(log.size, events.length - gone);
    const base = gone === 0 ? genesisEvent(WRITER.originHash) : events[gone - 1];
    assert.deepEqual(log.base, base);
    assert.equal(log.append(chain.append(Uint8Array.of(1))), undefined);
  }));
});

Deno.test("EntityLog.pruneThrough() of nothing changes nothing", () => {
  const log = logOf(EVENTS);
  log.pruneThrough(4n);
  assert.equal(log.pruneThrough(3n), 0);
  assert.deepEqual(log.base, EVENTS[3]);
  assert.equal(log.at(4n), EVENTS[3]);
  assert.equal(log.at(3n), undefined);
  assert.equal(log.at(5n), EVENTS[4]);
});

Deno.test("EntityLog.truncateAfter() gives the events that another chain replaces", () => {
  const log = logOf(EVENTS);
  assert.deepEqual(log.truncateAfter(6n), EVENTS.slice(6));
  assert.deepEqual(log.head, EVENTS[5]);
  assert.equal(log.append(EVENT(6)), undefined);
});

Deno.test("EntityLog behind a snapshot goes on over the state, and with its payload known both ways", () => {
  const head = EVENT(8);
  const snapshot = snapshotBehind(head);
  const restored = CausalChain.afterSnapshot(snapshot).append(Uint8Array.of(5));
  const unbroken = CausalChain.after(head.link, head.payload).append(Uint8Array.of(5));
  assert.notEqual(restored.link.parent, unbroken.link.parent);
  const append = (event: CausalEvent, payload?: Uint8Array) =>
    EntityLog.afterSnapshot(snapshot, payload).append(event)?.kind;
  assert.equal(append(restored), undefined);
  assert.equal(append(unbroken), "parent_hash_mismatch");
  assert.equal(append(restored, head.payload), undefined);
  assert.equal(append(unbroken, head.payload), undefined);
});

Deno.test("EntityLog.noteRestore() lets a log go on over a restore", () => {
  const log = logOf(EVENTS);
  const snapshot = snapshotBehind(EVENT(8));
  const restored = CausalChain.afterSnapshot(snapshot).append(Uint8Array.of(5));
  assert.equal(log.append(restored)?.kind, "parent_hash_mismatch");
  log.noteRestore(snapshot);
  assert.equal(log.append(restored), undefined);
  assert.throws(() => log.noteRestore(snapshot), CausalError);
  const other = { ...snapshot, entityId: new Uint8Array(32) };
  assert.throws(() => log.noteRestore(other), /another entity/);
});

Deno.test("EntityLog is full at its bounds until something is pruned", () => {
  const options = { eventsMax: 3, bytesMax: 5 };
  const log = new EntityLog(WRITER.entityId, options);
  for (const sequence of [0, 1]) assert.equal(log.append(EVENT(sequence)), undefined);
  assert.equal(log.bytes, 4);
  assert.deepEqual(log.append(EVENT(2)), { kind: "full" });
  assert.equal(log.pruneThrough(1n), 1);
  assert.equal(log.bytes, 2);
  assert.equal(log.append(EVENT(2)), undefined);
  assert.equal(log.truncateAfter(2n).length, 1);
  assert.equal(log.bytes, 2);
  const few = new EntityLog(WRITER.entityId, { eventsMax: 1 });
  assert.equal(few.append(EVENT(0)), undefined);
  assert.equal(few.append(EVENT(1))?.kind, "full");
  assert.equal(few.append(EVENT(2))?.kind, "sequence_gap");
});

Deno.test("EntityLog.truncateAfter() forgets the restores of what it takes away", () => {
  const log = logOf(EVENTS);
  const snapshot = snapshotBehind(EVENT(8));
  log.noteRestore(snapshot);
  log.truncateAfter(8n);
  const other = CausalChain.after(EVENT(7).link, EVENT(7).payload);
  assert.equal(log.append(other.append(Uint8Array.of(99))), undefined);
  const restored = CausalChain.afterSnapshot(snapshot).append(Uint8Array.of(5));
  assert.equal(log.append(restored)?.kind, "parent_hash_mismatch");
});
