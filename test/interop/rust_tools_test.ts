/** Tools between us and the live Rust core: each lists the other's. */
import assert from "node:assert/strict";
import {
  createToolDescriptor,
  listTools,
  type ToolDescriptor,
  toolFacts,
  ToolHost,
} from "../../src/rpc/mod.ts";
import { MemoryRpc } from "../rpc/tools/memory_rpc.ts";
import { PSK, startCapableNode, until } from "../services/capabilities/capability_kit.ts";
import { startAnnouncingNode } from "./announcement_node.ts";
import type { AnnouncementOperations, RustTool } from "./announcement_peer_process.ts";
import { startLineProcess } from "./line_process.ts";
import { rustPeerTest } from "./rust_peer.ts";

const WAIT_MS = 15_000;

const startPeer = () =>
  startLineProcess<AnnouncementOperations>(
    new URL("./announcement_peer_process.ts", import.meta.url),
    { name: "Rust peer" },
  );

/** The descriptor as the core writes it. */
function asRust(tool: ToolDescriptor, nodeCount: number): RustTool {
  const { toolId, name, version, requires, estimatedTimeMs, tags } = tool;
  const { description, inputSchema, outputSchema, pricingTerms } = tool;
  const told = Object.entries({ description, inputSchema, outputSchema, pricingTerms })
    .filter(([, text]) => text !== undefined);
  return {
    toolId,
    name,
    version,
    requires,
    estimatedTimeMs,
    stateless: tool.isStateless,
    streaming: tool.isStreaming,
    tags,
    nodeCount,
    ...Object.fromEntries(told),
  };
}

rustPeerTest("toolFacts() make the core list our tools, and take them away again", async () => {
  await using peer = startPeer();
  const rust = await peer.call("create", { psk: PSK });
  await peer.call("start", { node: rust.node });
  await using node = await startCapableNode();
  const host = new ToolHost({
    rpc: new MemoryRpc(),
    announce: (tools) => node.capabilities.contribute("tools", toolFacts(tools)),
  });
  const full = createToolDescriptor({
    toolId: "web_search",
    name: "Web Ⓢearch",
    version: "2.1.0",
    description: "Searches the web: all of it, really",
    inputSchema: '{"type":"object","properties":{"q":{"type":"string"}}}',
    outputSchema: '{"type":"array"}',
    requires: ["network", "disk"],
    estimatedTimeMs: 500,
    isStateless: false,
    isStreaming: true,
    tags: ["web", "ai"],
    pricingTerms: "free",
  });
  const plain = createToolDescriptor({ toolId: "ping" });
  host.serveStream(full, async function* () {});
  const served = host.serve(plain, () => Promise.resolve(null));
  const [host1 = "", port] = rust.address.split(":");
  await node.mesh.transport.dial({
    nodeId: rust.nodeId,
    noisePublicKey: rust.publicKey,
    addresses: [{ host: host1, port: Number(port) }],
    form: "routed",
  }, 3000);
  const list = async (isDone: (tools: readonly RustTool[]) => boolean) => {
    for (const deadline = performance.now() + WAIT_MS;;) {
      const tools = await peer.call("listTools", { node: rust.node });
      if (isDone(tools)) return tools;
      assert.ok(performance.now() < deadline, `${tools.length} tools`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const tools = await list(({ length }) => length === 2);
  assert.deepEqual(tools, [asRust(plain, 1), asRust(full, 1)]);
  await served.close();
  const left = await list(({ length }) => length === 1);
  assert.deepEqual(left, [asRust(full, 1)]);
});

rustPeerTest("listTools() lists what the core serves as tools, and no phantom of it", async () => {
  await using peer = startPeer();
  const rust = await peer.call("create", { psk: PSK });
  await peer.call("start", { node: rust.node });
  await peer.call("announce", {
    node: rust.node,
    capabilities: {
      tags: ["ai-tool:alpha", "ai-tool:phantom"],
      tools: [
        {
          toolId: "alpha",
          name: "Alpha",
          version: "1.2.3",
          inputSchema: '{"type":"object"}',
          requires: ["a", "b"],
          estimatedTimeMs: 500,
          stateless: false,
        },
        { toolId: "phantom", name: "Nobody serves it" },
      ],
    },
  });
  await peer.call("serveEcho", { node: rust.node, service: "alpha" });
  // Whoever the core connects to is told at once what it has to offer then.
  await using node = startAnnouncingNode(PSK, [rust.nodeId]);
  const { address, publicKey, nodeId } = node;
  await peer.call("connect", { node: rust.node, address, publicKey, peer: nodeId });
  const tools = () =>
    listTools(
      node.store.values(performance.now()).map(({ nodeId, capabilities }) =>
        [nodeId, capabilities] as const
      ),
    );
  await until("the core's tool is listed", () => tools().length > 0);
  const [listed, ...others] = tools();
  assert.deepEqual(others, []);
  assert.deepEqual(listed?.providers, [rust.nodeId]);
  assert.deepEqual(
    listed?.descriptor,
    {
      ...createToolDescriptor({
        toolId: "alpha",
        name: "Alpha",
        version: "1.2.3",
        inputSchema: '{"type":"object"}',
        requires: ["a", "b"],
        estimatedTimeMs: 500,
        isStateless: false,
      }),
      nodeCount: 1,
    },
  );
});
