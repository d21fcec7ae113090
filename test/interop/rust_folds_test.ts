/** Folds between us and the live Rust core: whose statements stand, on both sides. */
import assert from "node:assert/strict";
import { systemClock } from "../../src/base/mod.ts";
import {
  Aggregator,
  type AggregatorGroup,
  encodeFoldEnvelope,
  encodeFoldQueryReply,
  encodeRegistryReply,
  FOLD_QUERY_SERVICE,
  type FoldQueryReply,
  FoldSet,
  type FoldStatement,
  holderOf,
  SUBPROTOCOL_FOLD,
} from "../../src/core/capability/mod.ts";
import { createRamKeys } from "../../src/core/crypto/mod.ts";
import { islandOf, membershipOf, signedBy } from "../core/capability/fold/fold_samples.ts";
import { PSK, until } from "../services/capabilities/capability_kit.ts";
import { type FoldingNode, startFoldingNode } from "../services/fold_kit.ts";
import type { FoldOperations } from "./fold_peer_process.ts";
import { type LineProcess, startLineProcess } from "./line_process.ts";
import { rustPeerTest } from "./rust_peer.ts";
import type { RustNodeInfo } from "./rust_protocol.ts";

type Peer = LineProcess<FoldOperations>;

const HOST_TAG = "host-ours";
const FOREVER_US = 4_000_000_000_000_000n;
const WAIT_MS = 8_000;

const startPeer = (): Peer =>
  startLineProcess<FoldOperations>(new URL("./fold_peer_process.ts", import.meta.url), {
    name: "Rust peer",
  });

/** A node of the core that has a direct session with ours: it tells nobody else what it says. */
async function startRust(peer: Peer, node: FoldingNode): Promise<RustNodeInfo> {
  const rust = await peer.call("create", { psk: PSK });
  const accepted = peer.call("accept", { node: rust.node, peer: node.nodeId });
  const [host = "", port] = rust.address.split(":");
  await node.mesh.transport.dial({
    nodeId: rust.nodeId,
    noisePublicKey: rust.publicKey,
    addresses: [{ host, port: Number(port) }],
    form: "direct",
  }, 3000);
  await accepted;
  await peer.call("start", { node: rust.node });
  await peer.call("announce", { node: rust.node, capabilities: { tags: ["core"] } });
  await until("we know the core", () => node.capabilities.entityOf(rust.nodeId) !== undefined);
  return rust;
}

/** Asks the core until it answers as wanted. */
async function eventually<T>(
  what: string,
  ask: () => Promise<T>,
  isWanted: (answer: T) => boolean,
) {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    const answer = await ask();
    if (isWanted(answer)) return;
    if (performance.now() > deadline) {
      const shown = JSON.stringify(
        answer,
        (_, value) => typeof value === "bigint" ? `${value}` : value,
      );
      throw new Error(`it never happened: ${what}: ${shown}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function say(node: FoldingNode, statement: FoldStatement): string {
  const outcome = node.service.say(statement);
  return outcome.kind === "rejected" ? outcome.reason : outcome.kind;
}

const reservation = (
  node: FoldingNode,
  resourceId: bigint,
  untilUs = FOREVER_US,
): FoldStatement => ({
  kind: 3,
  classHash: 0n,
  payload: { resourceId, state: { kind: "reserved", holder: node.nodeId, untilUs } },
});

const free = (resourceId: bigint): FoldStatement => ({
  kind: 3,
  classHash: 0n,
  payload: { resourceId, state: { kind: "free" } },
});

/** Who holds a resource as we see it. */
function holder(node: FoldingNode, resource: bigint): bigint | undefined {
  const { folds } = node.service;
  const entry = folds.reservations.get(resource, folds.time().nowMs);
  return entry && holderOf(entry.envelope.payload.state);
}

/** Waits until the core has heard everything we said: to ask it for a resource would be to take it. */
async function untilHeard(peer: Peer, rust: RustNodeInfo, node: FoldingNode): Promise<void> {
  const id = BigInt(markers++);
  const payload = islandOf({ nodeId: node.nodeId }, { id }).payload;
  say(node, { kind: 4, classHash: 0n, payload });
  const match = () => peer.call("matchIslands", { node: rust.node, tag: HOST_TAG });
  await eventually("the core has heard", match, (ids) => ids.includes(id));
}

let markers = 1_000;

rustPeerTest("reservations of ours and of the core stand in each other's way", async (t) => {
  await using node = await startFoldingNode({ facts: { tags: [HOST_TAG] } });
  await using peer = startPeer();
  const rust = await startRust(peer, node);
  const at = { node: rust.node };
  await untilHeard(peer, rust, node);
  const coreReserves = (resource: bigint, untilUs = FOREVER_US) =>
    peer.call("reserve", { ...at, resource, untilUs });

  await t.step("what we hold the core does not get, what we give back it does", async () => {
    assert.equal(say(node, reservation(node, 1n)), "inserted");
    await untilHeard(peer, rust, node);
    assert.equal(await coreReserves(1n), "lost");
    assert.equal(await peer.call("release", { ...at, resource: 1n }), "lost");
    assert.equal(say(node, free(1n)), "replaced");
    await eventually("it is free", () => coreReserves(1n), (answer) => answer === "won");
    await until("we hear of it", () => holder(node, 1n) === rust.nodeId);
    assert.equal(say(node, reservation(node, 1n)), "held");
  });
  await t.step("what the core holds we do not get, what it gives back we do", async () => {
    assert.equal(await coreReserves(2n), "won");
    await until("we have heard", () => holder(node, 2n) === rust.nodeId);
    assert.equal(say(node, reservation(node, 2n)), "held");
    assert.equal(say(node, free(2n)), "held");
    assert.equal(await peer.call("release", { ...at, resource: 2n }), "won");
    await until("it is free", () => holder(node, 2n) === undefined);
    assert.equal(say(node, reservation(node, 2n)), "replaced");
    await untilHeard(peer, rust, node);
    assert.equal(await coreReserves(2n), "lost");
  });
  await t.step("what is over can be taken, by either side", async () => {
    const wallUs = () => BigInt(Math.round(systemClock.wallMs() * 1000));
    assert.equal(say(node, reservation(node, 3n, wallUs() + 400_000n)), "inserted");
    await untilHeard(peer, rust, node);
    assert.equal(await coreReserves(3n), "lost");
    await eventually("its time is over", () => coreReserves(3n), (answer) => answer === "won");
    await until("we hear of it", () => holder(node, 3n) === rust.nodeId);
    assert.equal(await coreReserves(4n, wallUs() + 400_000n), "won");
    await until("we have heard", () => holder(node, 4n) === rust.nodeId);
    assert.equal(say(node, reservation(node, 4n)), "held");
    await until("its time is over", () => say(node, reservation(node, 4n)) === "replaced");
    await untilHeard(peer, rust, node);
    assert.equal(await coreReserves(4n), "lost");
  });
  await t.step("an active one is held, whatever the time", async () => {
    const state = { kind: "active", holder: node.nodeId, jobId: 300n } as const;
    say(node, { kind: 3, classHash: 0n, payload: { resourceId: 5n, state } });
    await untilHeard(peer, rust, node);
    assert.equal(await coreReserves(5n), "lost");
  });
});

rustPeerTest(
  "islands and memberships of ours are found by the core, and its islands by us",
  async (t) => {
    await using node = await startFoldingNode({ facts: { tags: [HOST_TAG] } });
    await using peer = startPeer();
    const rust = await startRust(peer, node);
    const at = { node: rust.node };

    await t.step("our island", async () => {
      const payload = islandOf({ nodeId: node.nodeId }, { id: 21n }).payload;
      assert.equal(say(node, { kind: 4, classHash: 0n, payload }), "inserted");
      const match = () => peer.call("matchIslands", { ...at, tag: HOST_TAG });
      await eventually("the core finds it", match, (ids) => ids.includes(21n));
      node.service.withdraw(4, 21n);
      await eventually("it is gone", match, (ids) => !ids.includes(21n));
    });
    await t.step("the core's island", async () => {
      const island = {
        id: 22n,
        units: [7, 3, 7],
        capabilities: ["x"],
        load: 0.25,
        p50LatencyUs: 9,
      };
      assert.equal(await peer.call("publishIsland", { ...at, island }), 1);
      const { folds } = node.service;
      const entry = () => folds.islands.get(22n, folds.time().nowMs);
      await until("we know it", () => entry() !== undefined);
      const { units, host, load } = entry()?.envelope.payload ?? {};
      assert.deepEqual([units, host, load], [[3, 7], rust.nodeId, 0.25]);
      assert.deepEqual(entry()?.publisher, rust.entityId);
      const taken = islandOf({ nodeId: node.nodeId }, { id: 22n }).payload;
      assert.equal(say(node, { kind: 4, classHash: 0n, payload: taken }), "owner");
    });
    await t.step("our membership of a class", async () => {
      const { payload } = membershipOf({ nodeId: node.nodeId, classHash: 0xabcn }, {
        tags: ["in-a-class"],
        state: "busy",
        region: "eu",
        hardware: { gpuVendor: "amd", gpuCount: 2, memoryGb: 64, vramGb: 48 },
        metadata: new Map([["b", "2"], ["a", "1"]]),
      });
      assert.equal(say(node, { kind: 1, classHash: 0xabcn, payload }), "inserted");
      const count = (by: "class" | "state" | "region") => () =>
        peer.call("countByTag", { ...at, tag: "in-a-class", by });
      for (
        const [by, bucket] of [["class", "0xabc"], ["state", "busy"], ["region", "eu"]] as const
      ) {
        await eventually(
          by,
          count(by),
          (rows) => rows[0]?.bucket === bucket && rows[0].value === 1n,
        );
      }
    });
    await t.step("nobody speaks for others, and nobody is heard who is not known", async () => {
      const victim = createRamKeys().identity;
      const forged = signedBy(victim, islandOf({ nodeId: victim.nodeId }, { id: 23n }));
      const bytes = encodeFoldEnvelope(forged);
      const stream = BigInt(SUBPROTOCOL_FOLD);
      node.mesh.transport.sendMessage(rust.nodeId, SUBPROTOCOL_FOLD, stream, bytes);
      const payload = islandOf({ nodeId: node.nodeId }, { id: 24n }).payload;
      say(node, { kind: 4, classHash: 0n, payload });
      const match = () => peer.call("matchIslands", { ...at, tag: HOST_TAG });
      await eventually("the next is there", match, (ids) => ids.includes(24n));
      assert.ok(!(await match()).includes(23n));
    });
  },
);

rustPeerTest("the core's statements go on through us, to nodes that it does not know", async () => {
  await using middle = await startFoldingNode();
  await using far = await startFoldingNode({ join: middle });
  await using peer = startPeer();
  const rust = await startRust(peer, middle);
  await until("they know each other", () => middle.capabilities.get(far.nodeId) !== undefined);
  const answer = await peer.call("reserve", { node: rust.node, resource: 9n, untilUs: FOREVER_US });
  assert.equal(answer, "won");
  await until("it went two hops", () => holder(far, 9n) === rust.nodeId);
  const { folds } = far.service;
  const entry = folds.reservations.get(9n, folds.time().nowMs);
  assert.deepEqual(entry?.publisher, rust.entityId);
  assert.equal(say(far, reservation(far, 9n)), "held");
  // The core takes statements from their publishers only, and is sent no others.
  assert.equal(middle.foldCounters().net_folds_passed_on_total, 1);
});

rustPeerTest(
  "clients of the core read our summaries, with more in them than its own, and our groups",
  async () => {
    await using peer = startPeer();
    const server = await peer.call("create", { psk: PSK });
    const client = await peer.call("create", { psk: PSK });
    const accepted = peer.call("accept", { node: server.node, peer: client.nodeId });
    const { address, publicKey, nodeId: target } = server;
    await peer.call("connect", { node: client.node, address, publicKey, peer: target });
    await accepted;
    await peer.call("start", { node: server.node });
    await peer.call("start", { node: client.node });

    const folds = new FoldSet({ clock: systemClock }, { nodeId: 1n });
    for (const nodeId of [1n, 2n, 3n]) {
      const hardware = { gpuVendor: "amd", gpuCount: 2, memoryGb: 64, vramGb: 48 };
      folds.apply(membershipOf({ nodeId, classHash: 0xabn }, { hardware, state: "busy" }));
    }
    const subnet = 0x01020000;
    const aggregator = new Aggregator(
      { folds, locate: () => subnet + 0x0300 },
      { sourceSubnet: subnet, foldKinds: [1] },
      0,
    );
    const summaries = aggregator.tick();
    const serve = (service: string, reply: Uint8Array) =>
      peer.call("serveReply", { node: server.node, service, reply });
    const reply: FoldQueryReply = { kind: "summaries", foldKind: 1, summaries };
    await serve(FOLD_QUERY_SERVICE, encodeFoldQueryReply(reply));
    const query = () =>
      peer.call("queryFold", { node: client.node, target, kind: 1, isFresh: true });
    await eventually("it is served", query, (answer) => typeof answer !== "string");
    const [summary] = await query();
    assert.ok(typeof summary === "object");
    assert.deepEqual([summary.sourceSubnet, summary.generation], ["1.2", 1n]);
    assert.deepEqual(summary.buckets, summaries[0]?.buckets);
    const counts = new Map(summary.buckets.map(({ name, count }) => [name, count]));
    assert.deepEqual(
      ["busy", "class/0xab/busy", "hardware/gpus", "subnet/1.2.3"].map((name) => counts.get(name)),
      [3n, 3n, 6n, 3n],
    );

    const group: AggregatorGroup = {
      name: "agg-1",
      seedFingerprint: Uint8Array.fromHex("a1a2a3a4a5a6a7a8"),
      sourceSubnet: subnet,
      foldKinds: [1, 3],
      replicas: [],
    };
    await serve("aggregator.registry", encodeRegistryReply({ kind: "groups", groups: [group] }));
    const list = () => peer.call("listGroups", { node: client.node, target });
    await eventually("it is served", list, (answer) => typeof answer !== "string");
    const [row] = await list();
    assert.ok(typeof row === "object");
    assert.deepEqual([row.name, row.groupSeedFingerprintHex], ["agg-1", "a1a2a3a4a5a6a7a8"]);
  },
);
