/** Who sees which channel across subnets, between us and the live Rust core, in both directions. */
import assert from "node:assert/strict";
import { parseSubnetId, subnetDepth, subnetLevel } from "../../src/base/mod.ts";
import {
  AckReason,
  channelId,
  decodeMembership,
  encodeMembership,
  isChannelVisible,
  SubnetAssignments,
  type SubnetRule,
  SUBPROTOCOL_MEMBERSHIP,
  VISIBILITIES,
  type Visibility,
} from "../../src/channel/mod.ts";
import { type AnnouncingNode, startAnnouncingNode } from "./announcement_node.ts";
import { type LineProcess, startLineProcess } from "./line_process.ts";
import { eventually } from "./mesh_node.ts";
import { rustPeerTest } from "./rust_peer.ts";
import type { RustNodeInfo } from "./rust_protocol.ts";
import type { RustSubnetRule, SubnetOperations } from "./subnet_peer_process.ts";

const PSK = new Uint8Array(32).fill(0x31);
const STREAM = BigInt(SUBPROTOCOL_MEMBERSHIP);
const ACK_MS = 8_000;

/** The same rules on both sides; values overlap so that the order of tags counts. */
const RUST_RULES: readonly RustSubnetRule[] = [
  { tagPrefix: "r:", level: 0, values: { one: 1, two: 2, zwei: 2 } },
  { tagPrefix: "s:", level: 1, values: { two: 2, three: 3 } },
  { tagPrefix: "t:", level: 2, values: { five: 5 } },
];
const RULES: readonly SubnetRule[] = RUST_RULES.map(({ values, ...rule }) => ({
  ...rule,
  values: new Map(Object.entries(values)),
}));

/** Subscribers: their tags, and the subnet that follows; `undefined` for one that announces nothing. */
const SUBSCRIBERS: readonly (readonly [string | undefined, readonly string[]])[] = [
  [undefined, []],
  ["global", ["plain"]],
  ["1", ["r:one"]],
  ["1.2", ["r:one", "s:two"]],
  ["1.3", ["s:three", "r:one"]],
  ["2", ["r:two"]],
  ["1.2.5", ["t:five", "r:one", "s:two"]],
  // Of several tags the smallest that has a number: "r:one" before "r:two" and "r:zwei".
  ["1.2", ["r:zwei", "r:two", "r:one", "r:aaa", "s:two"]],
  ["0.2", ["s:two"]],
];

type Peer = LineProcess<SubnetOperations>;

const startPeer = (): Peer =>
  startLineProcess<SubnetOperations>(new URL("./subnet_peer_process.ts", import.meta.url), {
    name: "Rust peer",
  });

function levelsOf(subnet: number): number[] {
  return Array.from({ length: subnetDepth(subnet) }, (_, level) => subnetLevel(subnet, level));
}

const at = (text: string) => parseSubnetId(text) ?? NaN;

function isExpected(visibility: Visibility, local: string, peer: string | undefined): boolean {
  const subnet = peer === undefined ? undefined : at(peer);
  return isChannelVisible({ visibility, local: at(local), peer: subnet });
}

async function dial(node: AnnouncingNode, rust: RustNodeInfo): Promise<void> {
  const [host = "", port] = rust.address.split(":");
  const addresses = [{ host, port: Number(port) }];
  const { nodeId, publicKey: noisePublicKey } = rust;
  await node.transport.dial({ nodeId, noisePublicKey, addresses, form: "routed" }, 3_000);
}

async function startRust(peer: Peer, local: string): Promise<RustNodeInfo> {
  const levels = levelsOf(at(local));
  const rust = await peer.call("createInSubnet", { psk: PSK, levels, rules: RUST_RULES });
  await peer.call("start", { node: rust.node });
  for (const visibility of VISIBILITIES) {
    await peer.call("registerChannel", { node: rust.node, name: visibility, visibility });
  }
  return rust;
}

/** Waits until the core has taken in what the node announced. */
async function untilKnown(peer: Peer, rust: RustNodeInfo, tag: string, nodeId: bigint) {
  const deadlineMs = performance.now() + ACK_MS;
  for (;;) {
    if ((await peer.call("findNodes", { node: rust.node, tag })).includes(nodeId)) return;
    assert.ok(performance.now() < deadlineMs, `${tag} is not found`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Subscribes at the core by hand and waits for its answer. */
async function subscribe(node: AnnouncingNode, rust: RustNodeInfo, name: string): Promise<number> {
  const channel = channelId(name);
  assert.ok(channel);
  const nonce = crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n;
  const { promise, resolve } = Promise.withResolvers<number>();
  const stop = node.transport.onMessage(SUBPROTOCOL_MEMBERSHIP, ({ payload }) => {
    const decoded = decodeMembership(payload);
    if (decoded.ok && decoded.message.kind === "ack" && decoded.message.nonce === nonce) {
      resolve(decoded.message.reason);
    }
  });
  const message = encodeMembership({
    kind: "subscribe",
    nonce,
    channel,
    chain: new Uint8Array(0),
    queueGroup: undefined,
  });
  node.transport.sendMessage(rust.nodeId, SUBPROTOCOL_MEMBERSHIP, STREAM, message);
  const timer = setTimeout(() => resolve(-1), ACK_MS);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    stop();
  }
}

rustPeerTest(
  "isChannelVisible() agrees with the core that publishes, for every subnet",
  async (t) => {
    await using peer = startPeer();
    for (const local of ["1.2", "global"]) {
      const rust = await startRust(peer, local);
      for (const [subnet, tags] of SUBSCRIBERS) {
        await t.step(
          `local ${local}, peer ${subnet ?? "unknown"} by ${tags.join(" ")}`,
          async () => {
            await using node = startAnnouncingNode(PSK);
            await dial(node, rust);
            if (subnet !== undefined) {
              const mark = `mark-${node.nodeId}`;
              node.send(rust.nodeId, node.announcement([...tags, mark]));
              await untilKnown(peer, rust, mark, node.nodeId);
            }
            for (const visibility of VISIBILITIES) {
              const expected = isExpected(visibility, local, subnet);
              const reason = await subscribe(node, rust, visibility);
              assert.equal(reason, expected ? AckReason.Ok : AckReason.Unauthorized, visibility);
            }
          },
        );
      }
    }
  },
);

rustPeerTest("SubnetAssignments and isChannelVisible() decide as the core expects", async (t) => {
  await using peer = startPeer();
  for (const [subnet, tags] of SUBSCRIBERS) {
    await t.step(`peer ${subnet ?? "unknown"} by ${tags.join(" ")}`, async () => {
      await using node = startAnnouncingNode(PSK);
      const assignments = new SubnetAssignments(RULES);
      node.transport.onMessage(SUBPROTOCOL_MEMBERSHIP, ({ from, payload }) => {
        const decoded = decodeMembership(payload);
        if (!decoded.ok || decoded.message.kind !== "subscribe") return;
        const { nonce, channel } = decoded.message;
        const visibility = VISIBILITIES.find((one) => one === channel.name) ?? "global";
        const question = { visibility, local: at("1.2"), peer: assignments.subnetOf(from) };
        const isAccepted = isChannelVisible(question);
        const reason = isAccepted ? AckReason.Ok : AckReason.Unauthorized;
        const ack = encodeMembership({ kind: "ack", nonce, isAccepted, reason });
        node.transport.sendMessage(from, SUBPROTOCOL_MEMBERSHIP, STREAM, ack);
      });
      const rust = await startRust(peer, "global");
      await dial(node, rust);
      if (subnet !== undefined) {
        await peer.call("announce", { node: rust.node, capabilities: { tags } });
        await eventually("it is heard", () => node.verdicts.some(({ kind }) => kind !== "dropped"));
        const verdict = node.verdicts.findLast(({ kind }) => kind !== "dropped");
        assert.ok(verdict !== undefined && verdict.kind !== "dropped");
        const { announcement } = verdict;
        assignments.onDirectAnnouncement(announcement.nodeId, announcement.capabilities.tags);
        assert.equal(assignments.subnetOf(rust.nodeId), at(subnet));
      }
      for (const visibility of VISIBILITIES) {
        const answer = await peer.call("subscribe", {
          node: rust.node,
          publisher: node.nodeId,
          name: visibility,
        });
        const expected = isExpected(visibility, "1.2", subnet);
        assert.equal(answer, expected ? true : "channel: unauthorized", visibility);
      }
      await peer.call("shutdown", { node: rust.node });
    });
  }
});

rustPeerTest(
  "the core takes packets that carry a subnet and a hop limit",
  async () => {
    await using peer = startPeer();
    const rust = await startRust(peer, "1.2");
    await using node = startAnnouncingNode(PSK);
    await dial(node, rust);
    node.transport.setSubnet(at("1.2"));
    node.transport.setPeerFeatures(rust.nodeId, { takesAckRanges: false, takesSubnetHeader: true });
    assert.equal(await subscribe(node, rust, "global"), AckReason.Ok);
  },
);
