import assert from "node:assert/strict";
import {
  encodeAnnouncement,
  localAnnouncement,
  SUBPROTOCOL_ANNOUNCEMENT,
} from "../../../src/core/capability/mod.ts";
import { createIdentity, createRamKeys } from "../../../src/core/crypto/mod.ts";
import { openLedger, writeSetting } from "../../../src/core/ledger/mod.ts";
import {
  type CapabilityChange,
  type CapabilityMemory,
  createCapabilityMemory,
} from "../../../src/services/mod.ts";
import { startCapableNode, until } from "./capability_kit.ts";

const tagsOf = (tags: readonly string[] | undefined) =>
  (tags ?? []).filter((tag) => !tag.startsWith("net."));

Deno.test("contribute() changes the own entry at once, and what peers know soon", async () => {
  await using left = await startCapableNode();
  await using right = await startCapableNode({ join: left });
  const seen = () => left.capabilities.get(right.nodeId)?.capabilities.tags;
  await until("the peer is known", () => seen() !== undefined);
  right.capabilities.contribute("test", { tags: ["gpu"], metadata: [["a", "b"]] });
  assert.ok(right.capabilities.own.capabilities.tags.includes("gpu"));
  assert.ok(right.capabilities.known(right.nodeId)?.isOwn);
  // The first broadcast went out at the start; the next may wait for the gap, a new session may not.
  await using third = await startCapableNode({ join: right });
  const { capabilities } = third;
  await until(
    "it is told",
    () => tagsOf(capabilities.get(right.nodeId)?.capabilities.tags)[0] === "gpu",
  );
  assert.equal(capabilities.get(right.nodeId)?.capabilities.metadata.get("a"), "b");
  await until("left hears through right", () => left.capabilities.get(third.nodeId) !== undefined);
  assert.equal(left.capabilities.get(third.nodeId)?.hopCount, 1);
});

Deno.test("entityOf() is what a peer proved or said first of itself", async () => {
  await using left = await startCapableNode();
  await using right = await startCapableNode({ join: left });
  await until("it is known", () => left.capabilities.entityOf(right.nodeId) !== undefined);
  assert.deepEqual(left.capabilities.entityOf(right.nodeId), right.keys.identity.entityId);
  assert.equal(left.capabilities.originHashOf(right.nodeId), right.keys.identity.originHash);
  assert.equal(left.capabilities.entityOf(1n), undefined);
});

Deno.test("onChange() tells of nodes that come, change and go", async () => {
  await using left = await startCapableNode();
  const changes: CapabilityChange[] = [];
  left.capabilities.onChange((change) => changes.push(change));
  const right = await startCapableNode({
    join: left,
    facts: { tags: ["a", "heat:00ff=0.50"], metadata: [["owner", "me"], ["x", "y"]] },
  });
  const last = () => changes.filter(({ nodeId }) => nodeId === right.nodeId).at(-1);
  await until("it comes", () => last()?.known !== undefined);
  assert.ok(last()?.isDirect);
  // What steers is not believed of others, and heat only of chains that are held.
  assert.deepEqual([...last()?.known?.set.metadata ?? []], [
    ["net.noise-key", right.keys.noise.publicKey.toHex()],
    ["x", "y"],
  ]);
  assert.deepEqual(tagsOf(last()?.known?.set.tags), ["a"]);
  assert.deepEqual(right.capabilities.known(right.nodeId)?.set.metadata.get("owner"), "me");
  await right.stop();
  await until("it goes", () => last()?.known === undefined);
  assert.equal(left.capabilities.get(right.nodeId), undefined);
});

Deno.test("what expired is swept, unless sweeping is switched off", async () => {
  await using sweeping = await startCapableNode();
  await using keeping = await startCapableNode({ sweepMs: 0 });
  const identity = createIdentity(new Uint8Array(32).fill(77));
  const own = { identity, tags: ["short"], version: 1n, wallMs: 0, ttlSeconds: 1 };
  const bytes = encodeAnnouncement({ ...localAnnouncement(own), hopCount: 1 });
  for (const node of [sweeping, keeping]) {
    await using peer = await startCapableNode({ join: node });
    const { transport } = peer.mesh;
    await until("there is a session", () => transport.connectedPeers().length > 0);
    transport.sendMessage(node.nodeId, SUBPROTOCOL_ANNOUNCEMENT, 0x0c00n, bytes);
    const isFound = () => node.capabilities.index.get(identity.nodeId).length > 0;
    await until("it is known", isFound);
    await until("it expired", () => node.capabilities.get(identity.nodeId) === undefined);
    if (node === sweeping) await until("it is swept", () => !isFound());
    else assert.ok(isFound());
  }
});

Deno.test("a restart answers from what was known, marked stale until it is confirmed", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/net.db`;
    const keys = createRamKeys();
    await using right = await startCapableNode({ facts: { tags: ["kept"] } });
    const left = await startCapableNode({ keys, path, join: right });
    await left.capabilities.setBaseline({
      tags: ["mine"],
      metadata: [["k", "v"]],
      allowedNodes: [7n],
      allowedSubnets: [new Uint8Array(16).fill(1)],
      allowedGroups: [new Uint8Array(32).fill(2)],
      policyVersion: 3n,
    });
    await until("it is known", () => left.capabilities.get(right.nodeId) !== undefined);
    await left.stop();

    const again = await startCapableNode({ keys, path });
    assert.deepEqual(tagsOf(again.capabilities.get(right.nodeId)?.capabilities.tags), ["kept"]);
    assert.equal(again.capabilities.known(right.nodeId)?.isStale, true);
    assert.deepEqual(tagsOf(again.capabilities.own.capabilities.tags), ["mine"]);
    assert.deepEqual(again.capabilities.own.allowedNodes, [7n]);
    assert.equal(again.capabilities.baseline.policyVersion, 3n);
    assert.deepEqual(again.capabilities.own.allowedGroups, [new Uint8Array(32).fill(2)]);
    await again.stop();

    await using third = await startCapableNode({ keys, path, join: right });
    const isStale = () => third.capabilities.known(right.nodeId)?.isStale;
    assert.equal(isStale(), true);
    await until("it is confirmed", () => isStale() === false);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a restart with a clock that was set back is believed at once", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/net.db`;
    const keys = createRamKeys();
    await using right = await startCapableNode();
    const left = await startCapableNode({ keys, path, join: right, facts: { tags: ["before"] } });
    const seen = () => tagsOf(right.capabilities.get(left.nodeId)?.capabilities.tags)[0];
    await until("it is known", () => seen() === "before");
    const { version } = left.capabilities.own;
    await left.stop();
    await until("it is gone", () => seen() === undefined);

    const wallOffsetMs = -3_600_000;
    const facts = { tags: ["after"] };
    await using again = await startCapableNode({ keys, path, join: right, facts, wallOffsetMs });
    await until("it is known again", () => seen() === "after");
    assert.ok(again.capabilities.own.version > version);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a node starts without what it cannot read of others", async () => {
  const broken = () => Promise.reject(new Error("damaged"));
  await using node = await startCapableNode({ memory: { readAnnouncements: broken } });
  assert.deepEqual(node.capabilities.index.counters.entries, 1);
  await using other = await startCapableNode({ memory: { readMark: broken } });
  assert.deepEqual(other.capabilities.index.counters.entries, 1);
});

Deno.test("createCapabilityMemory() says so when what the operator said is damaged", async () => {
  const ledger = openLedger({ path: ":memory:" });
  const memory = createCapabilityMemory(ledger);
  await writeSetting(ledger.db, "capability_baseline", '{"tags":[]}');
  await assert.rejects(memory.readBaseline(), { code: "data_dir_unusable" });
  await memory.writeMark({ version: 7n, wallMs: 5.5 });
  assert.deepEqual(await memory.readMark(), { version: 7n, wallMs: 5 });
  await writeSetting(ledger.db, "announcement_mark", `{"version":"1","wallMs":${1e18}}`);
  await assert.rejects(memory.readMark());
  await ledger.close();
});

Deno.test("what could not be written is written the next time", async () => {
  let failures = 1;
  const written: bigint[] = [];
  const memory: Partial<CapabilityMemory> = {
    writeAnnouncements: (changes) => {
      if (failures-- > 0) return Promise.reject(new Error("disk full"));
      written.push(...changes.written.map(({ nodeId }) => nodeId));
      return Promise.resolve();
    },
  };
  await using left = await startCapableNode({ memory });
  await using right = await startCapableNode({ join: left });
  await until("it is kept", () => written.includes(right.nodeId));
});

Deno.test("contribute() changes nothing when the whole does not fit", async () => {
  await using node = await startCapableNode();
  const { capabilities } = node;
  capabilities.contribute("a", { tags: ["a"] });
  const before = capabilities.own;
  const tags = Array.from({ length: 400 }, (_, i) => `${"x".repeat(30)}${i}`);
  assert.throws(() => capabilities.contribute("b", { tags }), { code: "limit" });
  assert.equal(capabilities.own, before);
  capabilities.contribute("a", undefined);
  assert.deepEqual(tagsOf(capabilities.own.capabilities.tags), []);
});

Deno.test("mayExecute() and mayAdmit() ask the announcements, and count what they refuse", async () => {
  await using left = await startCapableNode();
  await using right = await startCapableNode({ join: left });
  const group = new Uint8Array(32).fill(3);
  await right.capabilities.setBaseline({
    ...right.capabilities.baseline,
    tags: ["nrpc:a"],
    allowedGroups: [group],
  });
  await until("it is known", () => {
    return left.capabilities.get(right.nodeId)?.capabilities.tags.includes("nrpc:a") === true;
  });
  assert.ok(!left.capabilities.mayExecute(right.nodeId, "nrpc:a"));
  assert.ok(!left.capabilities.mayExecute(12345n, "nrpc:a"));
  left.capabilities.contribute("test", { tags: [`group:${group.toHex()}`] });
  assert.ok(left.capabilities.mayExecute(right.nodeId, "nrpc:a"));
  assert.equal(left.counters().net_capability_denied_caller_side_total, 2);
  // What the caller says of its groups is not believed at the other end.
  assert.ok(!right.capabilities.mayAdmit(left.nodeId, "nrpc:a"));
  const { baseline } = right.capabilities;
  await right.capabilities.setBaseline({ ...baseline, allowedNodes: [left.nodeId] });
  assert.ok(right.capabilities.mayAdmit(left.nodeId, "nrpc:a"));
  assert.equal(right.counters().net_capability_denied_callee_side_total, 1);
});
