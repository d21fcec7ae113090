import assert from "node:assert/strict";
import fc from "fast-check";
import {
  chooseTarget,
  type DataClaims,
  type DataPeer,
  decodeOverflowOffer,
  decodeOverflowReply,
  encodeOverflowOffer,
  encodeOverflowReply,
  MoveLedger,
  NO_PULL,
  OVERFLOW_REFUSALS,
  OVERFLOW_START,
  type OverflowRule,
  refuseMigration,
  refuseOverflow,
  refusePull,
  tickOverflow,
} from "../../../src/blob/mod.ts";

const MIB = 1024 ** 2;
const RULE: OverflowRule = {
  isEnabled: true,
  highWaterRatio: 0.85,
  lowWaterRatio: 0.7,
  maxPushesPerTick: 16,
  scope: "mesh",
};
const PULL = { isEnabled: true, scope: "mesh", proximity: 255 } as const;
const CLAIMS: DataClaims = {
  hasStorage: true,
  isUnhealthy: false,
  diskTotalGib: 100,
  diskFreeGib: 10,
  isOverflowing: true,
  greedy: PULL,
  gravity: PULL,
};
const COLD = { refcount: 0, isPinned: false, sizeBytes: 4 * MIB };
const ledger = () => new MoveLedger({ perHourMax: 1_000, restMs: 3_600_000 });

function input(used: number, count = 100) {
  const candidates = Array.from({ length: count }, (_, i) => ({ ...COLD, key: `c${i}` }));
  const peers = [{ nodeId: 7n, claims: CLAIMS }];
  return { disk: { used, capacity: 1_000 * MIB }, local: CLAIMS, candidates, peers };
}

Deno.test("overflow sheds the coldest from the high mark to the low one, so many at a time", () => {
  const full = tickOverflow(OVERFLOW_START, RULE, input(850 * MIB), ledger(), 0);
  assert.ok(full.state.isActive && full.isHighWaterTriggered);
  assert.deepEqual(
    full.pushes.map(({ key }) => key),
    Array.from({ length: 10 }, (_, i) => `c${i}`),
  );
  const still = tickOverflow(full.state, RULE, input(709 * MIB), ledger(), 0);
  // Nine MiB above the low mark are three chunks, whatever more there is.
  assert.equal(still.pushes.length, 3);
  const done = tickOverflow(still.state, RULE, input(700 * MIB), ledger(), 0);
  assert.ok(done.isLowWaterCleared && done.pushes.length === 0);
});

Deno.test("overflow leaves alone what is pinned, referred to, of unknown size, or at rest", () => {
  const moves = ledger();
  moves.rest("d", 0);
  const candidates = [
    { ...COLD, key: "a", isPinned: true },
    { ...COLD, key: "b", refcount: 1 },
    { ...COLD, key: "c", sizeBytes: undefined },
    { ...COLD, key: "d" },
  ];
  const given = { ...input(900 * MIB), candidates };
  assert.deepEqual(tickOverflow(OVERFLOW_START, RULE, given, moves, 1).pushes, []);
  const spilling = { ...RULE, spillHoldersMin: 2 };
  const [push] = tickOverflow(OVERFLOW_START, spilling, given, moves, 1).pushes;
  assert.equal(push?.key, "b");
});

Deno.test("overflow does nothing when it is off or not announced, and counts what nobody takes", () => {
  const full = input(900 * MIB);
  const off = tickOverflow(OVERFLOW_START, { ...RULE, isEnabled: false }, full, ledger(), 0);
  assert.ok(off.state.isActive && off.pushes.length === 0);
  const silent = { ...full, local: { ...CLAIMS, isOverflowing: false } };
  assert.equal(tickOverflow(OVERFLOW_START, RULE, silent, ledger(), 0).pushes.length, 0);
  const alone = tickOverflow(OVERFLOW_START, RULE, { ...full, peers: [] }, ledger(), 0);
  assert.deepEqual([alone.pushes.length, alone.withoutTarget], [0, 16]);
});

Deno.test("a target reads the chunk, or else has most room, or else the lowest id", () => {
  const free = (diskFreeGib: number) => ({ ...CLAIMS, diskFreeGib });
  const peers = [
    { nodeId: 3n, claims: free(10) },
    { nodeId: 2n, claims: free(10) },
    { nodeId: 1n, claims: free(1), wants: (key: string) => key === "hot" },
    { nodeId: 4n, claims: { ...free(99), isUnhealthy: true } },
    { nodeId: 5n, claims: { ...free(99), isOverflowing: false } },
    { nodeId: 6n, claims: { ...free(99), gravity: { ...PULL, scope: "node" as const } } },
  ];
  const from = (scope: OverflowRule["scope"]) => ({ ...RULE, scope });
  const given = { local: CLAIMS, peers };
  assert.equal(chooseTarget("cold", MIB, from("zone"), given), 2n);
  assert.equal(chooseTarget("hot", MIB, from("zone"), given), 1n);
  assert.equal(chooseTarget("cold", MIB, from("mesh"), given), 6n);
  assert.equal(chooseTarget("cold", MIB, from("zone"), { local: CLAIMS, peers: [] }), undefined);
  const apart = peers.map((peer) => ({ ...peer, place: { zone: "b" } }));
  const here = { local: CLAIMS, place: { zone: "a" }, peers: apart };
  assert.equal(chooseTarget("cold", MIB, from("zone"), here), undefined);
});

Deno.test("moves stay below the bound of any hour under random load, none twice within its rest", () => {
  const loads = fc.array(fc.tuple(fc.nat(600_000), fc.integer({ min: 0, max: 1_000 })), {
    minLength: 50,
    maxLength: 300,
  });
  fc.assert(
    fc.property(loads, (steps) => {
      const moves = new MoveLedger({ perHourMax: 40, restMs: 1_800_000 });
      const made: { key: string; atMs: number }[] = [];
      let [state, nowMs, flips] = [OVERFLOW_START, 0, 0];
      for (const [waitMs, used] of steps) {
        nowMs += waitMs;
        const tick = tickOverflow(state, RULE, input(used * MIB), moves, nowMs);
        flips += tick.state.isActive === state.isActive ? 0 : 1;
        state = tick.state;
        for (const { key } of tick.pushes) made.push({ key, atMs: nowMs });
      }
      for (const { atMs } of made) {
        const within = made.filter((other) => other.atMs > atMs - 3_600_000 && other.atMs <= atMs);
        assert.ok(within.length <= 40);
      }
      const last = new Map<string, number>();
      for (const { key, atMs } of made) {
        assert.ok(atMs - (last.get(key) ?? -Infinity) >= 1_800_000);
        last.set(key, atMs);
      }
      assert.ok(flips <= steps.length);
    }),
    { numRuns: 50 },
  );
});

Deno.test("a load that trembles between the marks flips nothing", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 701, max: 849 })), fc.boolean(), (loads, was) => {
      let state = { isActive: was, diskRatio: 0 };
      for (const used of loads) {
        ({ state } = tickOverflow(state, RULE, input(used * MIB, 0), ledger(), 0));
        assert.equal(state.isActive, was);
      }
    }),
  );
});

Deno.test("reasons to refuse come in their order", () => {
  const peer: DataPeer = { claims: CLAIMS };
  const local = (changes: Partial<DataClaims>) => ({ claims: { ...CLAIMS, ...changes } });
  const narrow = { ...PULL, scope: "node" as const };
  const far: DataPeer = { claims: { ...CLAIMS, greedy: narrow, gravity: narrow } };
  const zone = { ...PULL, scope: "zone" as const };
  assert.equal(refusePull(local({ hasStorage: false, greedy: NO_PULL }), peer), "no_storage");
  assert.equal(refusePull(local({ greedy: NO_PULL, isUnhealthy: true }), peer), "greedy_disabled");
  const idle = { ...PULL, proximity: 0 };
  assert.equal(refusePull(local({ greedy: idle, isUnhealthy: true }), peer), "proximity_zero");
  assert.equal(refusePull(local({ isUnhealthy: true, greedy: zone }), far), "unhealthy");
  assert.equal(refusePull(local({ greedy: zone }), far), "scope_mismatch");
  assert.equal(refusePull(local({}), peer), undefined);
  assert.equal(refuseMigration(local({ gravity: NO_PULL }), peer, 1), "gravity_disabled");
  assert.equal(refuseMigration(local({ gravity: zone }), peer, 1, "node"), "scope_mismatch");
  assert.equal(refuseMigration(local({ diskFreeGib: 0 }), peer, 1), "insufficient_disk");
  const almostFull = { claims: CLAIMS, roomBytes: MIB };
  assert.equal(refuseMigration(almostFull, peer, 2 * MIB), "insufficient_disk");
  assert.equal(refuseMigration(local({}), peer, MIB), undefined);
  const quiet: DataPeer = { claims: { ...CLAIMS, isOverflowing: false } };
  assert.equal(refuseOverflow(local({ hasStorage: false }), quiet, 1), "no_storage_cap");
  assert.equal(refuseOverflow(local({ isOverflowing: false }), quiet, 1), "not_participating");
  assert.equal(refuseOverflow(local({ isUnhealthy: true }), quiet, 1), "sender_not_overflowing");
  assert.equal(refuseOverflow(local({ isUnhealthy: true }), peer, 1), "unhealthy");
  assert.equal(refuseOverflow(local({ gravity: zone }), far, 1), "scope_mismatch");
  // A sender that understates the size finds room for a whole chunk or none.
  assert.equal(refuseOverflow(almostFull, peer, 1), "insufficient_disk");
  assert.equal(refuseOverflow(local({}), peer, 1), undefined);
});

Deno.test("offers and replies read as they were written, and others do not", () => {
  const hash = new Uint8Array(32).fill(0xab);
  const offer = { hash, sizeBytes: 300n, senderId: (1n << 64n) - 1n };
  const bytes = encodeOverflowOffer(offer);
  assert.equal(bytes.toHex(), "ab".repeat(32) + "ac02" + "ffffffffffffffffff01");
  assert.deepEqual(decodeOverflowOffer(bytes), offer);
  assert.equal(decodeOverflowOffer(bytes.subarray(0, -1)), undefined);
  for (const [at, reason] of OVERFLOW_REFUSALS.entries()) {
    const reply = { kind: "rejected", reason } as const;
    assert.deepEqual([...encodeOverflowReply(reply)], [1, at]);
    assert.deepEqual(decodeOverflowReply(encodeOverflowReply(reply)), reply);
  }
  assert.deepEqual(decodeOverflowReply(Uint8Array.of(0)), { kind: "accepted" });
  assert.deepEqual(decodeOverflowReply(Uint8Array.of(2)), { kind: "open_chunk_failed" });
  for (const bad of [[], [3], [1], [1, 6]]) {
    assert.equal(decodeOverflowReply(Uint8Array.from(bad)), undefined);
  }
  assert.throws(() => encodeOverflowOffer({ ...offer, hash: hash.subarray(1) }), RangeError);
});
