/** What calls say in the node's announcement, and read in those of others (`nrpc.md` 11). */
import { findNodes } from "../../core/capability/mod.ts";
import { serviceTag, TAG_RPC_BODIES } from "../../rpc/mod.ts";
import type { CapabilityService } from "../capabilities/mod.ts";
import type { RpcAnnouncements } from "./rpc_parts.ts";

const SOURCE = "rpc";

/** Announcements as calls see them. */
export function createRpcAnnouncements(
  capabilities: Pick<
    CapabilityService,
    "announceTo" | "contribute" | "get" | "index" | "onChange"
  >,
): RpcAnnouncements {
  return {
    tagsOf: (peer) => capabilities.get(peer)?.capabilities.tags,
    announceTo: (peer) => capabilities.announceTo(peer),
    onAnnounced: (handler) => capabilities.onChange(({ nodeId }) => handler(nodeId)),
    offer: (services) =>
      capabilities.contribute(SOURCE, { tags: [TAG_RPC_BODIES, ...services.map(serviceTag)] }),
    nodesOffering: (service) =>
      findNodes(capabilities.index, { requireTags: [serviceTag(service)] }).ids(),
    get version() {
      return capabilities.index.version;
    },
  };
}
