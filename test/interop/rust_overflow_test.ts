/** Overflow with the live Rust core, in both roles: its calls and its transfers, our offers and our answers. */
import assert from "node:assert/strict";
import { systemClock, systemRandom } from "../../src/base/mod.ts";
import {
  createBlobStore,
  createBlobTransfer,
  createMemoryChunkStore,
  DEFAULT_DATA_POLICY,
  encodeOverflowOffer,
  OVERFLOW_REFUSALS,
  OVERFLOW_SERVICE,
  type OverflowRefusal,
  setDataPolicy,
} from "../../src/blob/mod.ts";
import { openLedger } from "../../src/core/ledger/mod.ts";
import { createMetricRegistry, silentLog } from "../../src/observe/mod.ts";
import { createFlowMesh, FlowService } from "../../src/services/mod.ts";
import { bytesSource, seededBytes } from "../blob/sources.ts";
import { PSK } from "../services/capabilities/capability_kit.ts";
import { type CallingNode, startCallNode } from "./call_node.ts";
import { type LineProcess, startLineProcess } from "./line_process.ts";
import { eventually } from "./mesh_node.ts";
import type { OverflowOperations } from "./rust_overflow_process.ts";
import { rustPeerTest } from "./rust_peer.ts";
import type { RustNodeInfo } from "./rust_protocol.ts";

const MIB = 1024 ** 2;
/** Room that a node has to announce before anybody pushes to it. */
const STORE_BYTES = 4 * 1024 * MIB;

/** A node of ours whose blobs flow. */
async function startFlow(
  { capable, rpc, channels, nodeId }: CallingNode,
  bytesMax: number,
  settings: readonly (readonly [string, string])[],
) {
  const { capabilities, mesh } = capable;
  const ledger = openLedger({ path: ":memory:" });
  const chunks = createMemoryChunkStore({ bytesMax });
  const deps = { clock: systemClock, random: systemRandom, log: silentLog };
  const blobs = await createBlobStore({ ...deps, ledger, chunks });
  const transfer = createBlobTransfer({ ...deps, link: mesh.transport, source: blobs });
  transfer.start();
  const policy = {
    current: setDataPolicy(DEFAULT_DATA_POLICY, settings),
    onChange: () => () => {},
  };
  const flow = new FlowService({
    ...deps,
    metrics: createMetricRegistry(),
    storage: { ledger, blobs },
    policy,
    mesh: createFlowMesh({
      nodeId,
      capabilities,
      connectedPeers: () => mesh.transport.connectedPeers(),
      rttMs: (peer) => mesh.transport.peer(peer)?.rttMs,
      transfer: () => transfer,
      rpc,
    }),
    rpc,
    channels,
    greedyView: { intents: [], satisfiesIntent: () => undefined, isChainCached: () => false },
  });
  await flow.start();
  return {
    flow,
    blobs,
    [Symbol.asyncDispose]: async () => {
      await flow.stop();
      transfer.stop();
      await ledger.close();
    },
  };
}

async function untilDone(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 20_000;
  while (!await condition()) {
    assert.ok(performance.now() < deadlineMs, `${what}: not in time`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function startRust(peer: LineProcess<OverflowOperations>): Promise<RustNodeInfo> {
  const options = { psk: PSK, heartbeatIntervalMs: 200, sessionTimeoutMs: 1_000 };
  const rust = await peer.call("create", options);
  await peer.call("start", { node: rust.node });
  return rust;
}

const startPeer = () =>
  startLineProcess<OverflowOperations>(new URL("./rust_overflow_process.ts", import.meta.url), {
    name: "Rust overflow",
  });

const PARTNER = [
  "dataforts.blob.storage",
  "dataforts.blob.disk_free_gb=9",
  "dataforts.blob.overflow",
];

rustPeerTest("a chunk that the Rust core offers is fetched from it and held", async (t) => {
  await using peer = startPeer();
  const rust = await startRust(peer);
  await using node = await startCallNode();
  await node.connect(rust);
  await using ours = await startFlow(node, STORE_BYTES, [["overflow", "on"]]);
  const store = await peer.call("openStore", {});
  await peer.call("serve", { node: rust.node, store });
  const { hash, sizeBytes } = await peer.call("put", {
    store,
    source: { bytes: seededBytes(3 * MIB + 17, 5) },
  });
  const offer = async (given: Uint8Array, size = sizeBytes, senderId = rust.nodeId) =>
    await peer.call("unary", {
      node: rust.node,
      peer: node.nodeId,
      service: OVERFLOW_SERVICE,
      body: encodeOverflowOffer({ hash: given, sizeBytes: BigInt(size), senderId }),
    });
  await t.step("features have the names of the core's", async () => {
    const own = node.capable.capabilities.own.capabilities.tags;
    const names = await peer.call("features", {});
    assert.equal(names.length, 4);
    for (const name of names) assert.ok(own.includes(name), name);
  });
  const refusal = (reason: OverflowRefusal) => [1, OVERFLOW_REFUSALS.indexOf(reason)];
  await t.step("not before it says that it takes part", async () => {
    assert.deepEqual([...await offer(hash)], refusal("sender_not_overflowing"));
  });
  await peer.call("announce", { node: rust.node, capabilities: { tags: PARTNER } });
  await eventually(
    "its tags are known",
    () =>
      node.capable.capabilities.get(rust.nodeId)?.capabilities.tags.includes(PARTNER[2] ?? "") ??
        false,
  );
  await t.step("accepted, with the bytes here when the answer comes", async () => {
    assert.deepEqual([...await offer(hash)], [0]);
    assert.equal(await ours.blobs.hasChunk(hash), sizeBytes);
    const bytes = await ours.blobs.readChunk(hash);
    assert.deepEqual(bytes, seededBytes(3 * MIB + 17, 5));
  });
  await t.step("refused: more than there is room for, and in the name of another", async () => {
    assert.deepEqual(
      [...await offer(hash.map((byte) => byte ^ 1), 2 ** 40)],
      refusal("insufficient_disk"),
    );
    assert.deepEqual(
      [...await offer(hash.map((byte) => byte ^ 1), 9, 5n)],
      refusal("sender_not_overflowing"),
    );
  });
  await t.step("what it does not have is not accepted", async () => {
    assert.deepEqual([...await offer(hash.map((byte) => byte ^ 1), 99)], [2]);
  });
  const { counters } = (await ours.flow.status()).overflow;
  assert.deepEqual([counters.arrived, counters.arrivals_failed], [1, 1]);
});

rustPeerTest(
  "what we offer to the Rust core is its request, byte for byte, and our copy stays",
  async () => {
    await using peer = startPeer();
    const rust = await startRust(peer);
    await using node = await startCallNode();
    await node.connect(rust);
    await peer.call("answer", {
      node: rust.node,
      service: OVERFLOW_SERVICE,
      reply: Uint8Array.of(0),
    });
    await peer.call("announce", {
      node: rust.node,
      capabilities: { tags: [...PARTNER, `nrpc:${OVERFLOW_SERVICE}`] },
    });
    const settings = [
      ["overflow", "on"],
      ["overflow.spill_holders_min", "1"],
      ["overflow.tick_interval", "1s"],
    ] as const;
    await using ours = await startFlow(node, 10 * MIB, settings);
    const puts = [];
    for (let i = 0; i < 9; i++) puts.push(await ours.blobs.put(bytesSource(seededBytes(MIB, i))));
    const asked: Uint8Array[] = [];
    await untilDone("it was offered chunks", async () => {
      asked.push(...await peer.call("asked", {}));
      return asked.length > 0;
    });
    const expected = puts.map(({ hash }) =>
      encodeOverflowOffer({ hash, sizeBytes: BigInt(MIB), senderId: node.nodeId }).toHex()
    );
    assert.ok(asked.every((body) => expected.includes(body.toHex())));
    await untilDone(
      "it was counted",
      async () => Number((await ours.flow.status()).overflow.counters.pushes_admitted) > 0,
    );
    // Nobody proved anything: the answer alone costs no copy.
    for (const { hash } of puts) {
      assert.notEqual(await ours.blobs.hasChunk(hash), undefined);
    }
  },
);
