/**
 * `findNodes` of the Rust core, called through its addon, and ours, over the same announcements, in one
 * process; prints one line of JSON. A process of its own, so that a crash of native code ends no benchmark.
 *
 * The core gets the announcements over the wire, as copies that a neighbour passed on.
 */
import {
  CapabilityIndex,
  decodeAnnouncement,
  encodeAnnouncement,
  findNodes,
  localAnnouncement,
  type NodeFilter,
} from "../src/core/capability/mod.ts";
import { createIdentity } from "../src/core/crypto/mod.ts";
import { pause } from "../src/base/mod.ts";
import { startAnnouncingNode } from "../test/interop/announcement_node.ts";
import { loadRustAddon, type RustMesh } from "../test/interop/rust_addon.ts";
import { createSampleNodes, rackTag } from "./_index_data.ts";
import { timeInTurns, type Timing } from "./_in_turns.ts";

/** Nanoseconds per call, by filter. */
export interface RustFindFigures {
  readonly filters: readonly {
    readonly name: string;
    readonly found: number;
    readonly ours: Timing;
    readonly theirs: Timing;
  }[];
}

interface FindingMesh extends RustMesh {
  findNodes(filter: NodeFilter): bigint[];
}

const NODES = 200;
const WAIT_MS = 20_000;

const FILTERS: Readonly<Record<string, NodeFilter>> = {
  "no filter": {},
  "one selective tag": { requireTags: [rackTag(0)] },
  "a tag that half of all have": { requireTags: ["edge"] },
  "three tags together": { requireTags: ["edge", "software.os=linux", "hardware.gpu"] },
  "GPU and minimum memory": { requireGpu: true, minMemoryGb: 64 },
  "models": { requireModels: ["model-1", "model-2", "model-3"] },
  "tools, GPU memory": { requireTools: ["tool-1", "tool-2"], minVramGb: 16 },
  "nobody": { requireTags: ["nobody-has-this"] },
};

if (import.meta.main) {
  console.log(JSON.stringify(await measure()));
  // Native threads of the core would keep the process alive.
  Deno.exit(0);
}

async function measure(): Promise<RustFindFigures> {
  const psk = crypto.getRandomValues(new Uint8Array(32));
  const addon = loadRustAddon();
  const mesh = await addon.NetMesh.create({
    bindAddr: "127.0.0.1:0",
    psk: psk.toHex(),
  }) as FindingMesh;
  await mesh.start();
  await using node = startAnnouncingNode(psk);
  const [host = "", port] = mesh.localAddr().split(":");
  await node.transport.dial({
    nodeId: mesh.nodeId(),
    noisePublicKey: Uint8Array.fromHex(mesh.publicKey()),
    addresses: [{ host, port: Number(port) }],
    form: "routed",
  }, WAIT_MS);

  const index = new CapabilityIndex();
  const ids = new Set<bigint>();
  for (const [i, { capabilities }] of createSampleNodes(NODES).entries()) {
    const identity = createIdentity(crypto.getRandomValues(new Uint8Array(32)));
    const announcement = localAnnouncement({
      identity,
      tags: capabilities.tags,
      metadata: capabilities.metadata,
      version: 1n,
      wallMs: Date.now(),
      ttlSeconds: 3_600,
    });
    const decoded = decodeAnnouncement(encodeAnnouncement(announcement));
    if (!decoded.ok) throw new Error("Cannot decode announcement");
    index.set(identity.nodeId, { capabilities: decoded.announcement.capabilities });
    ids.add(identity.nodeId);
    node.send(mesh.nodeId(), { ...announcement, hopCount: 1 });
    if (i % 20 === 19) await pause(20);
  }
  const deadline = performance.now() + WAIT_MS;
  while (mesh.findNodes({}).filter((id) => ids.has(id)).length < NODES) {
    if (performance.now() > deadline) {
      throw new Error("Cannot compare: the core lost announcements");
    }
    await pause(20);
  }
  // The core knows itself; so does ours.
  for (const id of mesh.findNodes({})) {
    if (!ids.has(id)) index.set(id, { capabilities: { tags: [], metadata: new Map() } });
  }
  return {
    filters: Object.entries(FILTERS).map(([name, filter]) => {
      const ours = () => findNodes(index, filter, { rules: "core" }).ids();
      const theirs = () => mesh.findNodes(filter);
      if (ours().join() !== theirs().join()) {
        throw new Error(`Cannot compare "${name}": it differs`);
      }
      const timed = timeInTurns({ ours: () => ours().length, theirs: () => theirs().length });
      return { name, found: ours().length, ...timed };
    }),
  };
}
