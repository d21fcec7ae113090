/** Signed announcements between us and the live Rust core, in both directions. */
import assert from "node:assert/strict";
import {
  decodeAnnouncement,
  encodeAnnouncement,
  TAG_STREAM_ACK_RANGES,
  verifyAnnouncement,
} from "../../src/core/capability/mod.ts";
import { type AnnouncingNode, startAnnouncingNode } from "./announcement_node.ts";
import type { AnnouncementOperations } from "./announcement_peer_process.ts";
import { type LineProcess, startLineProcess } from "./line_process.ts";
import { eventually } from "./mesh_node.ts";
import { rustPeerTest } from "./rust_peer.ts";
import type { RustNodeInfo } from "./rust_protocol.ts";

const PSK = new Uint8Array(32).fill(0x31);
const WAIT_MS = 8000;

type Peer = LineProcess<AnnouncementOperations>;

const startPeer = (): Peer =>
  startLineProcess<AnnouncementOperations>(
    new URL("./announcement_peer_process.ts", import.meta.url),
    { name: "Rust peer" },
  );

async function dial(node: AnnouncingNode, rust: RustNodeInfo, form: "direct" | "routed") {
  const [host = "", port] = rust.address.split(":");
  const addresses = [{ host, port: Number(port) }];
  const { nodeId, publicKey: noisePublicKey } = rust;
  await node.transport.dial({ nodeId, noisePublicKey, addresses, form }, 3000);
}

/** Whether the core finds `nodeId` by the tag, asked for a while: until it does, when that is wanted. */
async function finds(
  peer: Peer,
  rust: RustNodeInfo,
  tag: string,
  nodeId: bigint,
  isWanted: boolean,
) {
  const deadlineMs = performance.now() + (isWanted ? WAIT_MS : 300);
  for (;;) {
    const found = await peer.call("findNodes", { node: rust.node, tag });
    if (isWanted && found.includes(nodeId)) return true;
    if (performance.now() > deadlineMs) return found.includes(nodeId);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

rustPeerTest(
  "localAnnouncement() is accepted by the Rust core, which finds us by tag",
  async (t) => {
    await using peer = startPeer();
    const rust = await peer.call("create", { psk: PSK });
    await peer.call("start", { node: rust.node });
    await using node = startAnnouncingNode(PSK);
    await dial(node, rust, "routed");
    const isFound = (tag: string, isWanted = true) => finds(peer, rust, tag, node.nodeId, isWanted);

    await t.step("all members at once, in every script", async () => {
      const tags = [
        "every-member",
        "\uffee",
        "\u{1d11e}",
        "hardware.a=1",
        "hardware.a:1",
        'q"\\\n\x7f',
      ];
      node.send(
        rust.nodeId,
        node.announcement(tags, {
          metadata: [["10", "a"], ["2", "b"], ["\u{1d11e}", "\u2028"]],
          reflexAddress: "[::ffff:203.0.113.7]:9000",
          allowedNodes: [1n, (1n << 64n) - 1n],
          allowedSubnets: [new Uint8Array(16).fill(1)],
          allowedGroups: [new Uint8Array(32).fill(255)],
        }),
      );
      assert.ok(await isFound("every-member"));
      assert.ok(await isFound("\u{1d11e}"));
    });
    await t.step("a newer one replaces, an older or changed one does not", async () => {
      const old = node.announcement(["old-version"]);
      const forged = { ...node.announcement(["x"]), version: old.version + 1_000_000n };
      node.send(rust.nodeId, node.announcement(["new-version"]));
      assert.ok(await isFound("new-version"));
      assert.ok(!await isFound("every-member", false));
      node.send(rust.nodeId, old);
      node.send(rust.nodeId, {
        ...forged,
        capabilities: { ...forged.capabilities, tags: ["forged"] },
      });
      assert.ok(!await isFound("old-version", false));
      assert.ok(!await isFound("forged", false));
      assert.ok(await isFound("new-version"));
    });
    await t.step("it is gone after its time to live", async () => {
      node.send(rust.nodeId, node.announcement(["short-lived"], { ttlSeconds: 1 }));
      assert.ok(await isFound("short-lived"));
      const deadlineMs = performance.now() + WAIT_MS;
      while (await isFound("short-lived", false)) assert.ok(performance.now() < deadlineMs);
    });
  },
);

rustPeerTest(
  "decodeAnnouncement() and verifyAnnouncement() take the core's announcement",
  async (t) => {
    await using peer = startPeer();
    await t.step("pushed on connect, direct", async () => {
      const rust = await peer.call("create", { psk: PSK });
      await using node = startAnnouncingNode(PSK);
      const accepted = peer.call("accept", { node: rust.node, peer: node.nodeId });
      await dial(node, rust, "direct");
      await accepted;
      await peer.call("start", { node: rust.node });
      const capabilities = {
        tags: ["from-the-core", "software.os:linux", "\u{1d11e}"],
        hardware: { cpuCores: 4, memoryGb: 16, gpu: { vendor: "amd", model: "x", vramGb: 8 } },
        tools: [{ toolId: "tool-a", name: "A", inputSchema: '{"type":"object"}' }],
      };
      await peer.call("announce", { node: rust.node, capabilities });
      await eventually("it arrives", () => node.verdicts.length > 0);
      assertFromCore(node, rust, "from-the-core");
      // Somebody who connects later is told at once.
      await using late = startAnnouncingNode(PSK, [rust.nodeId]);
      const { address, publicKey, nodeId } = late;
      await peer.call("connect", { node: rust.node, address, publicKey, peer: nodeId });
      await eventually("it is pushed", () => late.verdicts.length > 0);
      assertFromCore(late, rust, "from-the-core");
      await peer.call("shutdown", { node: rust.node });
    });
    await t.step("forwarded by the core, and by us", async () => {
      const left = await peer.call("create", { psk: PSK });
      const right = await peer.call("create", { psk: PSK });
      await peer.call("start", { node: left.node });
      await peer.call("start", { node: right.node });
      await using middle = startAnnouncingNode(PSK);
      await dial(middle, left, "routed");
      await dial(middle, right, "routed");
      await peer.call("announce", { node: left.node, capabilities: { tags: ["from-left"] } });
      assert.ok(await finds(peer, right, "from-left", left.nodeId, true), "through us");
      await using outer = startAnnouncingNode(PSK);
      await dial(outer, left, "routed");
      outer.send(
        left.nodeId,
        outer.announcement(["from-outside"], { metadata: [["intent", "x"]] }),
      );
      const ours = () => middle.store.get(outer.nodeId, performance.now());
      await eventually("the core passes ours on", () => ours() !== undefined);
      assert.equal(ours()?.hopCount, 1);
      assert.equal(ours()?.capabilities.metadata.get("intent"), "x");
      assert.ok(await finds(peer, right, "from-outside", outer.nodeId, true), "two hops");
    });
  },
);

rustPeerTest("TAG_STREAM_ACK_RANGES makes the core send SACKs", async (t) => {
  await using peer = startPeer();
  for (const tags of [["other"], [TAG_STREAM_ACK_RANGES]]) {
    await t.step(tags.join(), async () => {
      const rust = await peer.call("create", { psk: PSK });
      await peer.call("start", { node: rust.node });
      await using node = startAnnouncingNode(PSK);
      await dial(node, rust, "routed");
      node.send(rust.nodeId, node.announcement(["sack-test", ...tags]));
      assert.ok(await finds(peer, rust, "sack-test", node.nodeId, true));
      node.lose(5);
      const stream = node.transport.openSendStream(rust.nodeId, 9n);
      const signal = AbortSignal.timeout(WAIT_MS);
      for (let i = 0; i < 60; i++) {
        while (!stream.trySend(new Uint8Array(1000).fill(i))) await stream.ready({ signal });
      }
      await stream.close({ signal });
      assert.equal(node.sacks() > 0, tags.includes(TAG_STREAM_ACK_RANGES), `${node.sacks()} SACKs`);
      await peer.call("shutdown", { node: rust.node });
    });
  }
});

/** The last one received is the core's own, canonical, and signed by its key. */
function assertFromCore(node: AnnouncingNode, rust: RustNodeInfo, tag: string): void {
  const bytes = node.received.at(-1) ?? new Uint8Array(0);
  assert.equal(node.verdicts.at(-1)?.kind, "accepted");
  const decoded = decodeAnnouncement(bytes);
  assert.ok(decoded.ok);
  const { announcement } = decoded;
  assert.equal(verifyAnnouncement(announcement), undefined);
  assert.deepEqual(announcement.entityId, rust.entityId);
  assert.ok(announcement.capabilities.tags.includes(tag));
  assert.ok(announcement.capabilities.tags.includes(TAG_STREAM_ACK_RANGES));
  assert.deepEqual(encodeAnnouncement(announcement), new Uint8Array(bytes));
}
