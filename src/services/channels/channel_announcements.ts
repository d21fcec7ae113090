/** Channels' view of the capability service: tags of this node and of others. */
import { type PeerFacts, TAG_CHANNELS } from "../../channel/mod.ts";
import type { CapabilityService } from "../capabilities/mod.ts";
import type { MeshService } from "../mesh.ts";
import type { ChannelAnnouncements } from "./channel_deps.ts";

const SOURCE = "channels";

/** What nodes announce. */
export function channelAnnouncements(
  capabilities: Pick<CapabilityService, "contribute" | "onChange" | "own">,
): ChannelAnnouncements {
  return {
    ownTags: () => capabilities.own.capabilities.tags,
    setTags: (tags) => capabilities.contribute(SOURCE, { tags }),
    onTags: (handler) =>
      capabilities.onChange(({ nodeId, known }) => {
        if (nodeId === capabilities.own.nodeId) return;
        handler(nodeId, known?.announcement.capabilities.tags ?? []);
      }),
  };
}

/** What is known of peers. */
export function channelPeerFacts(
  capabilities: Pick<CapabilityService, "entityOf" | "originHashOf" | "get">,
  mesh: Pick<MeshService, "transport">,
): PeerFacts {
  return {
    // Nobody else seals; an announcement may be late or lost.
    isOurs: (peer) =>
      mesh.transport.peer(peer)?.isSealed === true ||
      (capabilities.get(peer)?.capabilities.tags.includes(TAG_CHANNELS) ?? false),
    entityOf: (peer) => capabilities.entityOf(peer),
    originHashOf: (peer) => capabilities.originHashOf(peer),
    tagsOf: (peer) => capabilities.get(peer)?.capabilities.tags,
  };
}
