/** The nodes around a node as the flow of blobs sees them: announcements, transfers and calls. */
import { NetError } from "../../base/mod.ts";
import {
  type BlobTransfer,
  decodeHoldReply,
  decodeOverflowReply,
  encodeHoldRequest,
  encodeOverflowOffer,
  type FlowFetchOptions,
  type FlowMesh,
  type FlowPeer,
  HOLD_SERVICE,
  OVERFLOW_SERVICE,
} from "../../blob/mod.ts";
import {
  type Announcement,
  type CapabilitySet,
  ingestCapabilities,
} from "../../core/capability/mod.ts";
import type { Rpc } from "../../rpc/mod.ts";
import type { CapabilityService } from "../capabilities/mod.ts";

/** What {@linkcode createFlowMesh} needs. */
export interface FlowMeshDeps {
  readonly nodeId: bigint;
  readonly capabilities: Pick<CapabilityService, "own" | "get" | "values" | "contribute">;
  readonly connectedPeers: () => readonly bigint[];
  readonly rttMs: (nodeId: bigint) => number | undefined;
  readonly transfer: () => BlobTransfer | undefined;
  readonly rpc: Pick<Rpc, "call">;
}

/** Creates it. */
export function createFlowMesh(deps: FlowMeshDeps): FlowMesh {
  const { nodeId, capabilities, connectedPeers, rttMs, rpc } = deps;
  // A look at every peer every few seconds: what is believed of an announcement is worked out once.
  const believed = new WeakMap<CapabilitySet, readonly string[]>();
  const tagsOf = (set: CapabilitySet): readonly string[] => {
    const tags = believed.get(set) ?? ingestCapabilities(set).tags;
    believed.set(set, tags);
    return tags;
  };
  const peerOf = (
    { nodeId: id, capabilities: set }: Announcement,
    connected: ReadonlySet<bigint>,
  ): FlowPeer => ({
    nodeId: id,
    tags: tagsOf(set),
    isConnected: connected.has(id),
    rttMs: rttMs(id),
  });
  return {
    nodeId,
    ownTags: () => capabilities.own.capabilities.tags,
    *peers() {
      const connected = new Set(connectedPeers());
      for (const announcement of capabilities.values()) {
        if (announcement.nodeId !== nodeId) yield peerOf(announcement, connected);
      }
    },
    peer: (id) => {
      const announcement = capabilities.get(id);
      return announcement && peerOf(announcement, new Set(connectedPeers()));
    },
    say: (source, tags) => {
      try {
        capabilities.contribute(source, tags.length === 0 ? undefined : { tags });
        return true;
      } catch (error) {
        if (error instanceof NetError && error.code === "limit") return false;
        throw error;
      }
    },
    fetch: (hash, options) => fetchFrom(deps, hash, options),
    offer: async (target, offer, signal) => {
      const body = encodeOverflowOffer(offer);
      const reply = decodeOverflowReply(await rpc.call(OVERFLOW_SERVICE, body, { target, signal }));
      if (reply === undefined) throw new NetError("integrity", "Cannot offer chunk: bad answer");
      return reply;
    },
    hold: async (target, request, signal) => {
      const body = encodeHoldRequest(request);
      const reply = decodeHoldReply(await rpc.call(HOLD_SERVICE, body, { target, signal }));
      if (reply === undefined) throw new NetError("integrity", "Cannot ask for proof: bad answer");
      return reply;
    },
  };
}

/** From the sources that are connected first, then from whoever has it. */
async function fetchFrom(
  { transfer: current, connectedPeers }: FlowMeshDeps,
  hash: Uint8Array,
  { sources, isOnlyThese = false, bytesMax, signal }: FlowFetchOptions,
): Promise<Uint8Array> {
  const transfer = current();
  if (transfer === undefined) throw new NetError("not_ready", "Cannot fetch chunk: no mesh runs");
  const options = { bytesMax, bandwidthClass: "background", signal } as const;
  const connected = new Set(connectedPeers());
  const peers = sources.filter((source) => connected.has(source));
  let failure: unknown;
  if (peers.length > 0) {
    try {
      return (await transfer.fetchChunk(hash, { ...options, peers })).bytes;
    } catch (error) {
      signal.throwIfAborted();
      failure = error;
    }
  }
  if (!isOnlyThese) return (await transfer.fetchChunk(hash, options)).bytes;
  throw failure ?? new NetError("unreachable", "Cannot fetch chunk: its source is not connected");
}
