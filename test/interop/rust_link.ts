/** A node of ours and a Rust node with a session through a proxy that can lose and watch. */
import assert from "node:assert/strict";
import { type LossyProxy, startLossyProxy } from "./lossy_proxy.ts";
import { dialNode, eventually, type MeshNode, startMeshNode } from "./mesh_node.ts";
import { type RustNode, startRustPeer } from "./rust_peer.ts";
import { TAG_STREAM_ACK_RANGES } from "../../src/core/capability/mod.ts";

const PSK = new Uint8Array(32).fill(0x10);

/** Two connected nodes. */
export interface RustLink extends AsyncDisposable {
  readonly node: MeshNode;
  readonly rust: RustNode;
  readonly proxy: LossyProxy;
}

/**
 * Connects by a routed handshake.
 *
 * @param options `hasRanges`: each side tells the other that it takes SACKs, as whole nodes do.
 */
export async function openRustLink(
  options: { readonly hasRanges: boolean },
): Promise<RustLink> {
  const peer = await startRustPeer({ callTimeoutMs: 120_000 });
  const node = startMeshNode({ psk: PSK });
  const rust = await peer.createNode({ psk: PSK });
  await rust.call("start", {});
  const proxy = startLossyProxy(rust.address);
  await dialNode(node, { ...rust, address: proxy.address }, "routed");
  if (options.hasRanges) {
    node.announce(rust.nodeId, [TAG_STREAM_ACK_RANGES]);
    await rust.call("announce", { capabilities: { tags: [] } });
    await eventually("the core announces itself", () => node.hasAnnouncementOf(rust.nodeId));
    // Answered only after our announcement was taken in.
    assert.ok(await node.transport.ping(rust.nodeId, 3000) !== undefined);
  }
  return {
    node,
    rust,
    proxy,
    [Symbol.asyncDispose]: async () => {
      proxy[Symbol.dispose]();
      await node[Symbol.asyncDispose]();
      await peer[Symbol.asyncDispose]();
    },
  };
}
