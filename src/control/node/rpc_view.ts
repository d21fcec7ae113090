/** Services of the mesh as the methods tell of them (`nrpc.md` 11). */
import { idToHex } from "../../base/mod.ts";
import type { Announcement } from "../../core/capability/mod.ts";
import { type CallShape, SERVICE_TAG_PREFIX } from "../../rpc/mod.ts";
import type { MeshView } from "./mesh_view.ts";

/** Services of one answer, and nodes named of each. */
const SERVICES_MAX = 1_000;
const NODES_MAX = 100;

/** What the list is made from. */
export interface ServiceView extends MeshView {
  readonly capabilities: {
    /** What every node announced, this one included. */
    values(): Iterable<Announcement>;
  };
}

/**
 * Result of `nrpc.ls`: services by name, and who offers each.
 *
 * @param wanted Only this one.
 * @param shapeOf Shape of a service of this node, where it is known.
 */
export function describeServices(
  node: ServiceView,
  wanted: string | undefined,
  shapeOf: (service: string) => CallShape | undefined,
): object {
  const offers = new Map<string, bigint[]>();
  for (const { nodeId, capabilities } of node.capabilities.values()) {
    for (const tag of capabilities.tags) {
      if (!tag.startsWith(SERVICE_TAG_PREFIX)) continue;
      const service = tag.slice(SERVICE_TAG_PREFIX.length);
      if (wanted !== undefined && service !== wanted) continue;
      const nodes = offers.get(service);
      if (nodes === undefined) offers.set(service, [nodeId]);
      else nodes.push(nodeId);
    }
  }
  const rows = [...offers].sort(([a], [b]) => a < b ? -1 : 1);
  return {
    services: rows.slice(0, SERVICES_MAX).map(([service, nodes]) => ({
      service,
      shape: shapeOf(service) ?? null,
      node_count: nodes.length,
      nodes: nodes.sort((a, b) => a < b ? -1 : a > b ? 1 : 0).slice(0, NODES_MAX)
        .map((nodeId) => describeProvider(node, nodeId)),
    })),
    omitted: Math.max(0, rows.length - SERVICES_MAX),
  };
}

function describeProvider({ mesh }: MeshView, nodeId: bigint): object {
  const isOwn = nodeId === mesh.transport.nodeId;
  const peer = isOwn ? undefined : mesh.transport.peer(nodeId);
  return {
    node_id: idToHex(nodeId),
    own: isOwn,
    state: peer?.state ?? null,
    relayed: peer?.isRelayed ?? null,
    trust: peer === undefined ? null : peer.isSealed ? "proven" : "unproven",
    rtt_ms: peer?.rttMs ?? null,
  };
}
