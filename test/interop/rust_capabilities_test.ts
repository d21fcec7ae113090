/** A whole node of ours among nodes of the Rust core: who finds whom by what, over how many hops. */
import assert from "node:assert/strict";
import type { Announcement } from "../../src/core/capability/mod.ts";
import { PSK, startCapableNode, until } from "../services/capabilities/capability_kit.ts";
import { type AnnouncingNode, startAnnouncingNode } from "./announcement_node.ts";
import type { AnnouncementOperations } from "./announcement_peer_process.ts";
import { type LineProcess, startLineProcess } from "./line_process.ts";
import { rustPeerTest } from "./rust_peer.ts";
import type { RustNodeInfo } from "./rust_protocol.ts";

type Peer = LineProcess<AnnouncementOperations>;

const startPeer = (): Peer =>
  startLineProcess<AnnouncementOperations>(
    new URL("./announcement_peer_process.ts", import.meta.url),
    { name: "Rust peer" },
  );

async function startRust(peer: Peer): Promise<RustNodeInfo> {
  const rust = await peer.call("create", { psk: PSK });
  await peer.call("start", { node: rust.node });
  return rust;
}

async function untilFound(
  peer: Peer,
  rust: RustNodeInfo,
  tag: string,
  nodeId: bigint,
  isWanted = true,
): Promise<void> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const found = await peer.call("findNodes", { node: rust.node, tag });
    if (found.includes(nodeId) === isWanted) return;
    assert.ok(
      performance.now() < deadline,
      `${tag} of ${nodeId} is${isWanted ? " not" : ""} found`,
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

interface Reachable {
  readonly nodeId: bigint;
  readonly publicKey: Uint8Array;
  readonly address: string;
}

async function dial(from: AnnouncingNode, to: Reachable): Promise<void> {
  const [host = "", port] = to.address.split(":");
  const addresses = [{ host, port: Number(port) }];
  const { nodeId, publicKey: noisePublicKey } = to;
  await from.transport.dial({ nodeId, noisePublicKey, addresses, form: "routed" }, 3000);
}

rustPeerTest("CapabilityService and the core find each other, and forget who is gone", async () => {
  await using peer = startPeer();
  const rust = await startRust(peer);
  await using node = await startCapableNode({ facts: { tags: ["ours"], metadata: [["a", "1"]] } });
  const [address] = node.mesh.addresses();
  assert.ok(address);
  const [host = "", port] = rust.address.split(":");
  await node.mesh.transport.dial({
    nodeId: rust.nodeId,
    noisePublicKey: rust.publicKey,
    addresses: [{ host, port: Number(port) }],
    form: "routed",
  }, 3000);
  await untilFound(peer, rust, "ours", node.nodeId);
  // The core tells those it dialled or accepted directly at once, a routed initiator with its next one.
  await peer.call("announce", { node: rust.node, capabilities: { tags: ["theirs"] } });
  const known = () => node.capabilities.known(rust.nodeId);
  await until("we know the core's", () => known()?.set.tags.includes("theirs") === true);
  assert.deepEqual(node.capabilities.entityOf(rust.nodeId), rust.entityId);
  // A later change replaces what was known, on both sides.
  node.capabilities.contribute("test", { tags: ["changed"] });
  await untilFound(peer, rust, "changed", node.nodeId);
  await peer.call("shutdown", { node: rust.node });
  await until("the core is forgotten", () => known() === undefined);
});

rustPeerTest("an announcement travels fifteen hops, through the core and through us", async (t) => {
  await using peer = startPeer();
  const origin = startAnnouncingNode(PSK);
  await using _origin = origin;
  let count = 0;
  /** A copy as if it had come over `hopCount` nodes. */
  const after = (hopCount: number): Announcement => ({
    ...origin.announcement([`hops-${hopCount}-${count++}`]),
    hopCount,
  });
  const travels = async (middle: Reachable) => {
    await using sender = startAnnouncingNode(PSK);
    await using receiver = startAnnouncingNode(PSK);
    await dial(sender, middle);
    await dial(receiver, middle);
    const heard = () => receiver.store.get(origin.nodeId, performance.now());
    const send = (announcement: Announcement) => sender.send(middle.nodeId, announcement);
    const last = after(14);
    send(last);
    await until("it is passed on", () => heard()?.version === last.version);
    assert.equal(heard()?.hopCount, 15);
    // The next is used but not passed on; the one behind it shows that there was time for it.
    send(after(15));
    const next = after(1);
    send(next);
    await until("the next is passed on", () => heard()?.version === next.version);
    const seen = receiver.received.filter((bytes) =>
      new TextDecoder().decode(bytes).includes("hops-15")
    );
    assert.equal(seen.length, 0);
  };
  await t.step("through the core", async () => travels(await startRust(peer)));
  await t.step("through us", async () => {
    await using node = await startCapableNode();
    const [address] = node.mesh.addresses();
    assert.ok(address);
    await travels({
      nodeId: node.nodeId,
      publicKey: node.keys.noise.publicKey,
      address: `${address.host}:${address.port}`,
    });
  });
});
