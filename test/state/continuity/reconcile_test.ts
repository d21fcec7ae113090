import assert from "node:assert/strict";
import fc from "fast-check";
import {
  applyOutcome,
  CausalChain,
  type CausalEvent,
  decodeEventFrames,
  encodeEventFrames,
  EntityLog,
  forkEntity,
  reconcile,
  type ReconcileOutcome,
} from "../../../src/state/mod.ts";
import { xxh3 } from "../../../src/core/crypto/mod.ts";
import { eventsOf, flipBit, snapshotBehind, WRITER } from "../causal/chain_samples.ts";

/** Few payloads and horizons, so that both sides often write the same. */
const anyRest = fc.array(
  fc.record({ payload: fc.nat({ max: 2 }), horizon: fc.nat({ max: 1 }) }),
  { maxLength: 5 },
);
const anyShared = fc.nat({ max: 4 });

type Rest = readonly { payload: number; horizon: number }[];

/** A log of events both sides have, and then of its own. */
function logOf(shared: number, rest: Rest): EntityLog {
  const log = new EntityLog(WRITER.entityId);
  const chain = new CausalChain(WRITER.originHash);
  for (let count = 0; count < shared; count++) log.append(chain.append(Uint8Array.of(count)));
  for (const { payload, horizon } of rest) {
    assert.equal(log.append(chain.append(Uint8Array.of(payload), BigInt(horizon))), undefined);
  }
  return log;
}

function outcomeOf(
  log: EntityLog,
  theirs: readonly CausalEvent[],
  split: bigint,
): ReconcileOutcome {
  const reconciled = reconcile(log, theirs, split);
  assert.ok(reconciled.ok);
  return reconciled.outcome;
}

const contentOf = (log: EntityLog) => encodeEventFrames(log.range(0n, 1_000n)).toHex();

Deno.test("reconcile() says the same on both sides, and both logs are equal afterwards", () => {
  fc.assert(
    fc.property(anyShared, anyRest, anyRest, (shared, left, right) => {
      const split = BigInt(shared);
      const ours = logOf(shared, left);
      const theirs = logOf(shared, right);
      const here = outcomeOf(ours, theirs.after(split), split);
      const there = outcomeOf(theirs, ours.after(split), split);
      assert.equal(here.kind, there.kind);
      if (here.kind === "converged") assert.equal(contentOf(ours), contentOf(theirs));
      if (here.kind === "catchup" && there.kind === "catchup") {
        assert.notEqual(here.behind, there.behind);
        assert.deepEqual(here.missing, there.missing);
      }
      if (here.kind === "conflict" && there.kind === "conflict") {
        assert.notEqual(here.winner, there.winner);
        assert.equal(here.divergeSequence, there.divergeSequence);
        assert.deepEqual([here.winning, here.losing], [there.winning, there.losing]);
        assert.ok(here.winning.length >= here.losing.length);
      }
      const [mine, other] = [applyOutcome(ours, here), applyOutcome(theirs, there)];
      assert.ok(mine.ok && other.ok);
      assert.equal(contentOf(ours), contentOf(theirs));
      const replaced = [...mine.replaced, ...other.replaced];
      assert.deepEqual(replaced, here.kind === "conflict" ? here.losing : []);
      assert.deepEqual(outcomeOf(ours, theirs.after(split), split), { kind: "converged" });
    }),
    { numRuns: 500 },
  );
});

Deno.test("reconcile() lets the longer rest win, then the smaller hash of the payload", () => {
  const of = (...payloads: number[]) => payloads.map((payload) => ({ payload, horizon: 0 }));
  const longer = outcomeOf(logOf(2, of(1)), logOf(2, of(2, 1)).after(2n), 2n);
  assert.ok(longer.kind === "conflict" && longer.winner === "theirs");
  assert.equal(longer.divergeSequence, 3n);
  const winner = (our: number, their: number) => {
    const outcome = outcomeOf(logOf(1, of(our)), logOf(1, of(their)).after(1n), 1n);
    return outcome.kind === "conflict" ? outcome.winner : outcome.kind;
  };
  const hashes = [0, 1, 2].map((payload) => [payload, hashOf(payload)] as const)
    .sort(([, left], [, right]) => (left < right ? -1 : 1)).map(([payload]) => payload);
  const [low = 0, , high = 0] = hashes;
  assert.deepEqual([winner(low, high), winner(high, low)], ["ours", "theirs"]);
  assert.equal(winner(1, 1), "converged");
});

Deno.test("reconcile() finds a difference that is in the horizon only, and decides where the core sees it", () => {
  const ours = logOf(0, [{ payload: 1, horizon: 0 }, { payload: 1, horizon: 0 }]);
  const theirs = logOf(0, [{ payload: 1, horizon: 1 }, { payload: 1, horizon: 0 }]);
  const outcome = outcomeOf(ours, theirs.after(0n), 0n);
  assert.ok(outcome.kind === "conflict");
  assert.equal(outcome.divergeSequence, 2n);
  assert.equal(outcome.losing.length, 2);
});

Deno.test("reconcile() refuses the other side's events when any bit of one but the last is changed", () => {
  const log = logOf(2, []);
  const theirs = logOf(2, [0, 1, 2].map((payload) => ({ payload, horizon: 1 }))).after(2n);
  const frames = encodeEventFrames(theirs);
  const each = frames.length / theirs.length;
  for (let bit = 0; bit < 2 * each * 8; bit++) {
    if ((bit >> 3) % each < 4) continue;
    const { events } = decodeEventFrames(flipBit(frames, bit), theirs.length);
    const reconciled = reconcile(log, events, 2n);
    assert.ok(!reconciled.ok, `bit ${bit}`);
  }
});

Deno.test("reconcile() refuses a chain of another origin, start or history", () => {
  const log = logOf(3, []);
  const fault = (theirs: readonly CausalEvent[], split: bigint) => {
    const reconciled = reconcile(log, theirs, split);
    return reconciled.ok ? reconciled.outcome.kind : reconciled.fault.kind;
  };
  const rest = logOf(3, [{ payload: 1, horizon: 0 }, { payload: 2, horizon: 0 }]).after(3n);
  assert.equal(fault(rest, 3n), "catchup");
  assert.equal(fault(rest.slice(1), 3n), "sequence_gap");
  assert.equal(fault(eventsOf(5n, 4).slice(3), 3n), "origin_mismatch");
  assert.equal(fault(eventsOf(WRITER.originHash, 4).slice(3), 3n), "parent_hash_mismatch");
  assert.equal(fault(rest, 4n), "unknown_split");
  log.pruneThrough(3n);
  assert.equal(fault(rest, 3n), "catchup");
  assert.equal(fault(rest, 2n), "unknown_split");
  assert.equal(fault(new Array(100_001).fill(rest[0]), 3n), "too_many_events");
});

Deno.test("applyOutcome() leaves a log that moved on as it was", () => {
  const log = logOf(2, []);
  const outcome = outcomeOf(log, logOf(2, [{ payload: 1, horizon: 0 }]).after(2n), 2n);
  const head = log.head;
  log.pruneThrough(1n);
  log.truncateAfter(1n);
  const applied = applyOutcome(log, outcome);
  assert.ok(!applied.ok && applied.fault.kind === "sequence_gap");
  assert.notDeepEqual(log.head, head);
});

Deno.test("reconcile() takes a restore into account that the log was told of", () => {
  const log = logOf(2, []);
  const snapshot = snapshotBehind(log.head);
  log.noteRestore(snapshot);
  const restored = CausalChain.afterSnapshot(snapshot).append(Uint8Array.of(9));
  assert.equal(outcomeOf(log, [restored], 2n).kind, "catchup");
});

Deno.test("the losing side goes on as a fork at the event where both parted", () => {
  const ours = logOf(1, [{ payload: 0, horizon: 0 }]);
  const theirs = logOf(1, [{ payload: 1, horizon: 0 }, { payload: 1, horizon: 0 }]);
  const outcome = outcomeOf(ours, theirs.after(1n), 1n);
  assert.ok(outcome.kind === "conflict" && outcome.winner === "theirs");
  const { record } = forkEntity({
    originalOrigin: ours.origin,
    forkedOrigin: 77n,
    forkSequence: outcome.divergeSequence,
  });
  assert.equal(record.forkSequence, 2n);
});

function hashOf(payload: number): bigint {
  return xxh3(Uint8Array.of(payload));
}

Deno.test("reconcile() decides by the horizon when nothing else of the last events differs", () => {
  const [ours, theirs] = [0, 1].map((horizon) => logOf(1, [{ payload: 1, horizon }]));
  assert.ok(ours !== undefined && theirs !== undefined);
  const here = outcomeOf(ours, theirs.after(1n), 1n);
  const there = outcomeOf(theirs, ours.after(1n), 1n);
  assert.ok(here.kind === "conflict" && there.kind === "conflict");
  assert.deepEqual([here.winner, there.winner], ["ours", "theirs"]);
});

Deno.test("applyOutcome() puts back what was there when the other chain does not fit", () => {
  const log = logOf(1, [{ payload: 0, horizon: 0 }, { payload: 1, horizon: 0 }]);
  const before = contentOf(log);
  const [second, third] = logOf(1, [{ payload: 2, horizon: 0 }, { payload: 2, horizon: 0 }]).after(
    1n,
  );
  assert.ok(second !== undefined && third !== undefined);
  const broken = { ...third, link: { ...third.link, parent: 1n } };
  const applied = applyOutcome(log, {
    kind: "conflict",
    divergeSequence: 2n,
    winner: "theirs",
    winning: [second, broken],
    losing: log.after(1n),
  });
  assert.ok(!applied.ok && applied.fault.kind === "parent_hash_mismatch");
  assert.equal(contentOf(log), before);
});
