import assert from "node:assert/strict";
import {
  assessContinuity,
  CausalChain,
  type CausalEvent,
  describeDiscontinuity,
  EntityLog,
  eventHash,
  forkEntity,
} from "../../../src/state/mod.ts";
import { eventsOf, snapshotBehind, WRITER } from "../causal/chain_samples.ts";

const EVENTS = eventsOf(WRITER.originHash, 9);
const event = (sequence: number): CausalEvent => EVENTS[sequence - 1] ?? assert.fail();

function logOf(events: readonly CausalEvent[]): EntityLog {
  const log = new EntityLog(WRITER.entityId);
  for (const event of events) assert.equal(log.append(event), undefined);
  return log;
}

Deno.test("assessContinuity() finds a chain from genesis whole", () => {
  const head = event(9);
  assert.deepEqual(assessContinuity(logOf(EVENTS)), {
    kind: "continuous",
    genesisHash: event(1).link.parent,
    headSequence: 9n,
    headHash: eventHash(head.link, head.payload),
  });
  const zeros = { kind: "continuous", genesisHash: 0n, headSequence: 0n, headHash: 0n };
  assert.deepEqual(assessContinuity(logOf([])), zeros);
});

Deno.test("assessContinuity() needs a snapshot where a log was pruned", () => {
  const log = logOf(EVENTS);
  log.pruneThrough(4n);
  const snapshot = snapshotBehind(event(4));
  const unverifiable = { kind: "unverifiable", lastVerified: 0n, gapStart: 1n };
  assert.deepEqual(assessContinuity(log), unverifiable);
  // Without the payload of the snapshot's event nothing can be said of what follows it.
  assert.deepEqual(assessContinuity(log, { snapshot }), unverifiable);
  const { payload } = event(4);
  assert.equal(assessContinuity(log, { snapshot, headPayload: payload }).kind, "continuous");
  const wrong = assessContinuity(log, { snapshot, headPayload: Uint8Array.of(0) });
  assert.ok(wrong.kind === "forked" && wrong.point === 5n);
  assert.equal(wrong.found, event(5).link.parent);
  const other = snapshotBehind(event(3));
  assert.deepEqual(assessContinuity(log, { snapshot: other, headPayload: payload }), unverifiable);
});

Deno.test("assessContinuity() ties a restored chain to its snapshot, and knows of a move", () => {
  const snapshot = snapshotBehind(event(9));
  const log = EntityLog.afterSnapshot(snapshot);
  const chain = CausalChain.afterSnapshot(snapshot);
  for (let count = 0; count < 2; count++) log.append(chain.append(Uint8Array.of(count)));
  assert.equal(assessContinuity(log, { snapshot }).kind, "continuous");
  const migration = { sequence: 9n, sourceNode: 1n, targetNode: 2n };
  assert.deepEqual(assessContinuity(log, { snapshot, migration }), {
    kind: "migrated",
    ...migration,
  });
});

Deno.test("assessContinuity() finds damage in memory", () => {
  const events = EVENTS.map(({ link, payload }) => ({ link, payload: payload.slice() }));
  const log = logOf(events);
  events[3]?.payload.fill(0);
  const status = assessContinuity(log);
  assert.ok(status.kind === "forked" && status.point === 5n);
  assert.equal(status.found, event(5).link.parent);
});

Deno.test("assessContinuity() ties the chain of a fork to its record", () => {
  const { record, chain } = forkEntity({
    originalOrigin: 5n,
    forkedOrigin: WRITER.originHash,
    forkSequence: 3n,
  });
  const log = EntityLog.after(WRITER.entityId, chain.head);
  for (let count = 0; count < 3; count++) {
    assert.equal(log.append(chain.append(Uint8Array.of(count))), undefined);
  }
  assert.equal(assessContinuity(log, { fork: record }).kind, "continuous");
  assert.equal(assessContinuity(log).kind, "forked");
});

Deno.test("describeDiscontinuity() has a text for every reason", () => {
  const texts = [
    describeDiscontinuity({ kind: "node_crash", lastSnapshotSequence: 7n }),
    describeDiscontinuity({ kind: "node_crash", lastSnapshotSequence: undefined }),
    describeDiscontinuity({
      kind: "chain_break",
      fault: { kind: "sequence_gap", expected: 2n, found: 5n },
    }),
    describeDiscontinuity({ kind: "conflicting_chains", sequence: 4n, hashes: [1n, 2n] }),
    describeDiscontinuity({ kind: "corruption" }),
  ];
  assert.deepEqual(texts, [
    "node crash, last snapshot at 7",
    "node crash without a snapshot",
    "chain break: sequence is 5, must be 2",
    "conflicting chains at 4: 0000000000000001 and 0000000000000002",
    "data corruption",
  ]);
});

Deno.test("assessContinuity() does not take a move into account that is still to come", () => {
  const migration = { sequence: 10n, sourceNode: 1n, targetNode: 2n };
  assert.equal(assessContinuity(logOf(EVENTS), { migration }).kind, "continuous");
});

Deno.test("assessContinuity() takes a snapshot with its payload for either way of going on", () => {
  const snapshot = snapshotBehind(event(9));
  const headPayload = event(9).payload;
  const log = EntityLog.afterSnapshot(snapshot, headPayload);
  assert.equal(log.append(CausalChain.afterSnapshot(snapshot).append(new Uint8Array())), undefined);
  assert.equal(assessContinuity(log, { snapshot, headPayload }).kind, "continuous");
  const other = { ...snapshot, link: { ...snapshot.link, origin: 5n } };
  assert.equal(assessContinuity(log, { snapshot: other, headPayload }).kind, "unverifiable");
});
