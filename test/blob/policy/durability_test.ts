import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type DurabilityEvent,
  type DurabilityTier,
  DurabilityWatch,
} from "../../../src/blob/mod.ts";

const CHUNKS = ["a", "b"];
const TO_TWO: DurabilityTier = { kind: "replicated_to", peers: 2 };
const kinds = (actions: readonly { readonly kind: string }[]) => actions.map(({ kind }) => kind);

Deno.test("best effort is done when all is stored, and says that nothing was synced", () => {
  const watch = new DurabilityWatch({ kind: "best_effort" }, CHUNKS, 0, 1_000);
  assert.deepEqual(watch.step({ kind: "stored", chunk: "a" }, 1), []);
  const [done] = watch.step({ kind: "stored", chunk: "b" }, 2);
  assert.ok(done?.kind === "done" && done.receipt.isReached);
  assert.deepEqual([done.receipt.chunksSynced, done.receipt.copiesMin], [0, 0]);
});

Deno.test("local durability syncs each chunk once and is done after the last", () => {
  const watch = new DurabilityWatch({ kind: "durable_on_local" }, CHUNKS, 0, 1_000);
  assert.deepEqual(watch.step({ kind: "stored", chunk: "a" }, 1), [{ kind: "sync", chunk: "a" }]);
  assert.deepEqual(watch.step({ kind: "stored", chunk: "a" }, 1), []);
  assert.deepEqual(watch.step({ kind: "synced", chunk: "a" }, 2), []);
  assert.deepEqual(kinds(watch.step({ kind: "synced", chunk: "b" }, 3)), ["done"]);
  assert.deepEqual(watch.step({ kind: "synced", chunk: "b" }, 4), []);
});

Deno.test("replication asks after the sync, counts each peer once, and again for one that lost it", () => {
  const watch = new DurabilityWatch(TO_TWO, ["a"], 0, 1_000);
  const held = (nodeId: bigint) => watch.step({ kind: "held", chunk: "a", nodeId }, 5);
  watch.step({ kind: "stored", chunk: "a" }, 1);
  assert.deepEqual(watch.step({ kind: "synced", chunk: "a" }, 2), [
    { kind: "replicate", chunk: "a", missing: 2, holders: [] },
  ]);
  assert.deepEqual([held(7n), held(7n), held(7n)], [[], [], []]);
  assert.deepEqual(watch.step({ kind: "lost", chunk: "a", nodeId: 7n }, 3), [
    { kind: "replicate", chunk: "a", missing: 2, holders: [] },
  ]);
  held(8n);
  const [done] = held(7n);
  assert.ok(done?.kind === "done");
  assert.deepEqual(done.receipt.holders, [7n, 8n]);
});

Deno.test("what is not reached in time is an error that says how far it came", () => {
  const watch = new DurabilityWatch(TO_TWO, CHUNKS, 0, 1_000);
  for (const chunk of CHUNKS) watch.step({ kind: "synced", chunk }, 1);
  watch.step({ kind: "held", chunk: "a", nodeId: 7n }, 2);
  assert.deepEqual(watch.step({ kind: "tick" }, 999), []);
  const [failed] = watch.step({ kind: "tick" }, 1_000);
  assert.ok(failed?.kind === "failed" && !failed.receipt.isReached);
  assert.equal(failed.error.code, "timeout");
  assert.match(failed.error.message, /0 of 2 peers hold every chunk/);
  assert.deepEqual(watch.step({ kind: "held", chunk: "b", nodeId: 7n }, 1_001), []);
});

Deno.test("a receipt never says more than happened", () => {
  const chunk = fc.constantFrom(...CHUNKS, "other");
  const nodeId = fc.bigInt(0n, 3n);
  const event: fc.Arbitrary<DurabilityEvent> = fc.oneof(
    fc.record({ kind: fc.constantFrom("stored" as const, "synced" as const), chunk }),
    fc.record({ kind: fc.constantFrom("held" as const, "lost" as const), chunk, nodeId }),
  );
  fc.assert(fc.property(fc.array(event, { maxLength: 60 }), (events) => {
    const watch = new DurabilityWatch(TO_TWO, CHUNKS, 0, 1_000);
    const synced = new Set<string>();
    const held = new Map(CHUNKS.map((name) => [name, new Set<bigint>()]));
    for (const happened of events) {
      if (watch.isOver) break;
      if (happened.kind === "synced") synced.add(happened.chunk);
      if (happened.kind === "held") held.get(happened.chunk)?.add(happened.nodeId);
      if (happened.kind === "lost") held.get(happened.chunk)?.delete(happened.nodeId);
      const isReached = CHUNKS.every((name) =>
        synced.has(name) && (held.get(name)?.size ?? 0) >= 2
      );
      const actions = watch.step(happened, 1);
      assert.equal(actions.some(({ kind }) => kind === "done"), isReached);
      assert.equal(watch.receipt(1).isReached, isReached);
    }
  }));
});

Deno.test("a watch has chunks and a number of peers", () => {
  assert.throws(() => new DurabilityWatch(TO_TWO, [], 0, 1), RangeError);
  const many = Array.from({ length: 8_193 }, (_, i) => String(i));
  assert.throws(() => new DurabilityWatch(TO_TWO, many, 0, 1), RangeError);
  for (const peers of [0, 256, 1.5, NaN]) {
    assert.throws(
      () => new DurabilityWatch({ kind: "replicated_to", peers }, CHUNKS, 0, 1),
      RangeError,
    );
  }
});
