import assert from "node:assert/strict";
import { systemClock } from "../../src/base/mod.ts";
import {
  encodeFoldEnvelope,
  findNodes,
  type FoldStatement,
  holderOf,
  SUBPROTOCOL_FOLD,
  SUBPROTOCOL_FOLD_RELAY,
} from "../../src/core/capability/mod.ts";
import { createRamKeys } from "../../src/core/crypto/mod.ts";
import { islandOf, signedBy } from "../core/capability/fold/fold_samples.ts";
import { until } from "./capabilities/capability_kit.ts";
import { type FoldingNode, startFoldingNode } from "./fold_kit.ts";

const RESOURCE = 5n;
const FOREVER_US = 4_000_000_000_000_000n;

/** Node `node` takes the resource. */
function reserve(node: FoldingNode, untilUs = FOREVER_US) {
  const state = { kind: "reserved", holder: node.nodeId, untilUs } as const;
  return say(node, { kind: 3, classHash: 0n, payload: { resourceId: RESOURCE, state } });
}

function release(node: FoldingNode) {
  const payload = { resourceId: RESOURCE, state: { kind: "free" } } as const;
  return say(node, { kind: 3, classHash: 0n, payload });
}

function say(node: FoldingNode, statement: FoldStatement): string {
  const outcome = node.service.say(statement);
  return outcome.kind === "rejected" ? outcome.reason : outcome.kind;
}

const island = (node: FoldingNode, id: bigint): FoldStatement => ({
  kind: 4,
  classHash: 0n,
  payload: { ...islandOf({ nodeId: node.nodeId }).payload, id },
});

/** Who holds the resource, as `node` sees it. */
function holder(node: FoldingNode): bigint | undefined {
  const { folds } = node.service;
  const entry = folds.reservations.get(RESOURCE, folds.time().nowMs);
  return entry && holderOf(entry.envelope.payload.state);
}

function hasIsland(node: FoldingNode, id: bigint): boolean {
  const { folds } = node.service;
  return folds.islands.get(id, folds.time().nowMs) !== undefined;
}

/** Memberships in class 0, which is what is announced. */
const announced = (node: FoldingNode, of: FoldingNode) => {
  const { folds } = node.service;
  return folds.capability.get(`0/${of.nodeId}`, folds.time().nowMs)?.envelope.payload.tags ?? [];
};

Deno.test("say() makes a reservation known to peers, and one that is held cannot be taken", async () => {
  await using left = await startFoldingNode();
  await using right = await startFoldingNode({ join: left });
  await until("they know each other", () => announced(left, right).length > 0);
  assert.equal(reserve(left), "inserted");
  await until("right hears of it", () => holder(right) === left.nodeId);
  assert.equal(reserve(right), "held");
  assert.equal(release(right), "held");
  assert.equal(release(left), "replaced");
  await until("it is free", () => holder(right) === undefined);
  assert.equal(reserve(right), "replaced");
  await until("left hears of it", () => holder(left) === right.nodeId);
  assert.equal(right.foldCounters().net_folds_own_entries, 1);
  assert.equal(left.foldCounters().net_folds_own_entries, 0);
  assert.ok(
    (left.foldCounters()['fold_applies_total{fold="reservation",outcome="replaced"}'] ?? 0) > 0,
  );
  await right.stop();
  await until("its holder is gone", () => holder(left) === undefined);
});

Deno.test("a new peer is told what stands, and forgets what was withdrawn", async () => {
  await using left = await startFoldingNode({ facts: { tags: ["gpu"] } });
  assert.equal(say(left, island(left, 1n)), "inserted");
  assert.equal(say(left, island(left, 2n)), "inserted");
  await using right = await startFoldingNode({ join: left });
  await until("both are known", () => hasIsland(right, 1n) && hasIsland(right, 2n));
  assert.ok(announced(right, left).includes("gpu"));
  assert.ok(left.service.withdraw(4, 1n));
  assert.ok(!left.service.withdraw(4, 1n));
  assert.ok(!hasIsland(left, 1n));
  await until("it is gone", () => !hasIsland(right, 1n));
  assert.ok(hasIsland(right, 2n));
});

Deno.test("statements go on beyond one hop, by their publisher's signature", async () => {
  await using middle = await startFoldingNode();
  await using left = await startFoldingNode({ join: middle });
  await using right = await startFoldingNode({ join: middle });
  await until("they know of each other", () => announced(left, right).length > 0);
  say(left, island(left, 1n));
  await until("right hears of it", () => hasIsland(right, 1n));
  const { folds } = right.service;
  const entry = folds.islands.get(1n, folds.time().nowMs);
  assert.deepEqual(entry?.publisher, left.keys.identity.entityId);
  assert.equal(reserve(left), "inserted");
  await until(
    "the middle and right know",
    () => holder(middle) === left.nodeId && holder(right) === left.nodeId,
  );
  assert.equal(reserve(right), "held");
  assert.ok((middle.foldCounters().net_folds_passed_on_total ?? 0) >= 2);
  assert.ok((right.foldCounters().net_folds_relayed_taken_total ?? 0) >= 2);
  assert.equal(left.foldCounters().net_folds_relayed_taken_total, 0);
  // What is withdrawn goes the same way.
  left.service.withdraw(4, 1n);
  await until("it is gone", () => !hasIsland(right, 1n));
});

Deno.test("statements go no further than their channel is visible", async () => {
  const rightKeys = createRamKeys();
  const reach = {
    mayReach: (kind: number, _publisher: bigint, target: bigint) =>
      kind !== 4 || target !== rightKeys.identity.nodeId,
  };
  await using middle = await startFoldingNode({ reach });
  await using left = await startFoldingNode({ join: middle, reach });
  await using right = await startFoldingNode({ join: middle, reach, keys: rightKeys });
  await until("they know of each other", () => announced(left, right).length > 0);
  say(left, island(left, 1n));
  reserve(left);
  await until("right hears of the one", () => holder(right) === left.nodeId);
  assert.ok(hasIsland(middle, 1n));
  assert.ok(!hasIsland(right, 1n));
});

Deno.test("a forged statement changes nothing and is counted", async () => {
  await using left = await startFoldingNode();
  await using right = await startFoldingNode({ join: left });
  await until("they know each other", () => announced(left, right).length > 0);
  await until("and the other way", () => announced(right, left).length > 0);
  const victim = createRamKeys().identity;
  const announcedAtUs = BigInt(Math.round(systemClock.wallMs())) * 1000n;
  const stolen = encodeFoldEnvelope(
    signedBy(victim, islandOf({ nodeId: victim.nodeId, announcedAtUs }, { id: 7n })),
  );
  const send = (subprotocol: number, bytes: Uint8Array) =>
    right.mesh.transport.sendMessage(left.nodeId, subprotocol, BigInt(subprotocol), bytes);
  send(SUBPROTOCOL_FOLD, stolen);
  send(SUBPROTOCOL_FOLD, Uint8Array.of(9, 9, 9));
  // A relay cannot change what it passes on, nor put another in the publisher's place.
  const relayed = Uint8Array.of(1, 1, ...right.keys.identity.entityId, ...stolen);
  send(SUBPROTOCOL_FOLD_RELAY, relayed);
  send(SUBPROTOCOL_FOLD_RELAY, Uint8Array.of(2, 1, 1));
  const count = (name: string) => left.foldCounters()[`net_folds_${name}_total`] ?? 0;
  await until("both were dropped", () => count("drop_signature") === 2);
  await until("nobody knows that kind", () => count("drop_unknown_kind") === 1);
  await until("no frame", () => count("relayed_drop_malformed") === 1);
  assert.ok(!hasIsland(left, 7n));
});

Deno.test("say() keeps no more up than peers take, and nothing in the class of announcements", async () => {
  await using node = await startFoldingNode();
  for (let id = 0n; id < 100n; id++) say(node, island(node, id));
  assert.throws(() => say(node, island(node, 100n)), { code: "limit" });
  const membership = node.service.folds.capability.get(`0/${node.nodeId}`, 0);
  assert.ok(membership !== undefined);
  assert.throws(
    () => node.service.say({ kind: 1, classHash: 0n, payload: membership.envelope.payload }),
    RangeError,
  );
});

Deno.test("a restart knows what others said before", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const snapshots = `${folder}/net.db`;
    const keys = createRamKeys();
    await using right = await startFoldingNode();
    const left = await startFoldingNode({ keys, snapshots, join: right });
    say(right, island(right, 1n));
    await until("it is known", () => hasIsland(left, 1n));
    await left.stop();
    const again = await startFoldingNode({ keys, snapshots });
    assert.ok(hasIsland(again, 1n));
    await again.stop();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("what nodes say of a class is found in the index, and counts at the gates", async () => {
  await using left = await startFoldingNode();
  await using right = await startFoldingNode({ join: left });
  await until("they know each other", () => announced(right, left).length > 0);
  const payload = {
    classHash: 5n,
    tags: ["in-class-five", "nrpc:b"],
    hardware: undefined,
    state: "busy" as const,
    region: "eu",
    priceQuote: undefined,
    reflexAddress: undefined,
    allowedNodes: [left.nodeId],
    allowedSubnets: [],
    allowedGroups: [],
    metadata: new Map(),
  };
  right.service.say({ kind: 1, classHash: 5n, payload });
  const found = () => findNodes(left.capabilities.index, { requireTags: ["in-class-five"] }).ids();
  await until("it is found", () => found().length === 1);
  assert.deepEqual(found(), [right.nodeId]);
  assert.ok(left.capabilities.mayExecute(right.nodeId, "nrpc:b"));
  assert.ok(right.capabilities.mayAdmit(left.nodeId, "nrpc:b"));
  assert.ok(!right.capabilities.mayAdmit(12345n, "nrpc:b"));
  assert.ok(right.service.withdraw(1, `5/${right.nodeId}`));
  await until("it is gone", () => found().length === 0);
  assert.ok(!left.capabilities.mayExecute(right.nodeId, "nrpc:b"));
});
