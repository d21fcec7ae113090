import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type DataClaims,
  type MigrationInput,
  type MigrationPeer,
  MoveLedger,
  NO_PULL,
  tickMigration,
} from "../../../src/blob/mod.ts";

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
const hexOf = (i: number) => i.toString(16).padStart(64, "0");
const heat = (i: number, rate: number | string) => `heat:blob:${hexOf(i)}=${rate}`;
const peer = (nodeId: bigint, tags: string[], claims = CLAIMS): MigrationPeer => ({
  nodeId,
  tags,
  claims,
});
const moves = () => new MoveLedger({ perHourMax: 1_000, restMs: 3_600_000 });
const input = (peers: MigrationPeer[], changes: Partial<MigrationInput> = {}): MigrationInput => ({
  local: { claims: CLAIMS },
  isOverflowActive: false,
  peers,
  sizeOf: () => 100,
  isHere: () => false,
  ...changes,
});

Deno.test("the hottest are pulled first, each from who reads it most and then from the others", () => {
  const peers = [
    peer(1n, [heat(1, 0.2), heat(2, 0.9), "heat:0000000000000001=1.00"]),
    peer(2n, [heat(1, 0.5), heat(3, "inf")]),
  ];
  const { pulls } = tickMigration(input(peers), moves(), 0);
  assert.deepEqual(pulls, [
    { hex: hexOf(2), sizeBytes: 100, sources: [1n] },
    { hex: hexOf(1), sizeBytes: 100, sources: [2n, 1n] },
  ]);
});

Deno.test("what is here, of unknown size, at rest or beyond a peer's share is not pulled", () => {
  const tags = Array.from({ length: 40 }, (_, i) => heat(i, 0.5));
  const ledger = moves();
  ledger.rest(hexOf(2), 0);
  const given = input([peer(1n, tags)], {
    isHere: (hex) => hex === hexOf(0),
    sizeOf: (hex) => hex === hexOf(1) ? undefined : 100,
  });
  const tick = tickMigration(given, ledger, 1);
  assert.deepEqual([tick.pulls.length, tick.unknownSize, tick.held, tick.overBudget], [
    32,
    1,
    1,
    5,
  ]);
  const again = tickMigration({ ...given, isOverflowActive: true }, moves(), 1);
  assert.deepEqual(again.pulls, []);
});

Deno.test("a peer within reach counts though a hotter one is not", () => {
  const zone = { ...CLAIMS, gravity: { ...PULL, scope: "zone" as const } };
  const node = { ...PULL, isEnabled: false, scope: "node" as const };
  const near = peer(2n, [heat(1, 0.1)]);
  const far = peer(1n, [heat(1, 0.9)], { ...CLAIMS, greedy: node, gravity: node });
  const local = { claims: zone };
  assert.deepEqual(tickMigration(input([far, near], { local }), moves(), 0).pulls[0]?.sources, [
    2n,
  ]);
  assert.equal(tickMigration(input([far], { local }), moves(), 0).refused.scope_mismatch, 1);
  const off = { claims: { ...CLAIMS, gravity: NO_PULL } };
  assert.equal(
    tickMigration(input([near], { local: off }), moves(), 0).refused.gravity_disabled,
    1,
  );
});

Deno.test("a tick never pulls more than there is room for", () => {
  const chunks = fc.array(fc.integer({ min: 1, max: 1_000 }), { maxLength: 64 });
  fc.assert(fc.property(chunks, fc.nat(5_000), (sizes, roomBytes) => {
    const peers = sizes.map((_, i) => peer(BigInt(i % 5), [heat(i, 1)]));
    const given = input(peers, {
      local: { claims: CLAIMS, roomBytes },
      sizeOf: (hex) => sizes[Number.parseInt(hex, 16)],
    });
    const { pulls } = tickMigration(given, moves(), 0);
    assert.ok(pulls.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) <= roomBytes);
  }));
});

Deno.test("a peer that announces without end is read up to what a node may announce", () => {
  let given = 0;
  const endless = function* (): Generator<string> {
    for (;;) yield heat(given++, 1);
  };
  const tick = tickMigration(input([{ ...peer(1n, []), tags: endless() }]), moves(), 0);
  assert.ok(given <= 257 && tick.pulls.length === 32);
});

Deno.test("two nodes with gravity and overflow do not toss a chunk to and fro", () => {
  // One ledger per node for both directions: what came rests, what went rests.
  const ledger = new MoveLedger({ perHourMax: 1_000, restMs: 3_600_000 });
  let pulled = 0;
  for (let nowMs = 0; nowMs < 24 * 3_600_000; nowMs += 30_000) {
    const { pulls } = tickMigration(input([peer(1n, [heat(1, 1)])]), ledger, nowMs);
    pulled += pulls.length;
  }
  assert.equal(pulled, 24);
});
