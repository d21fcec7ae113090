/** Capabilities as methods tell of them. */
import { idToHex, toHex } from "../../base/mod.ts";
import type { CapabilityService, KnownCapabilities } from "../../services/mod.ts";

/** One node's capabilities, whole. */
export function describeCapabilities(known: KnownCapabilities): object {
  const { announcement, set, isStale, isOwn, expiresInMs } = known;
  return {
    node_id: idToHex(announcement.nodeId),
    entity_id: toHex(announcement.entityId),
    own: isOwn,
    stale: isStale,
    version: String(announcement.version),
    announced_at: new Date(Number(announcement.timestampNs / 1_000_000n)).toISOString(),
    ttl_secs: announcement.ttlSeconds,
    expires_in_ms: expiresInMs === undefined ? null : Math.round(expiresInMs),
    hops: isOwn ? 0 : announcement.hopCount + 1,
    tags: set.tags,
    metadata: Object.fromEntries(set.metadata),
    reflex_address: announcement.reflexAddress ?? null,
    allowed_nodes: announcement.allowedNodes.map(idToHex),
    allowed_subnets: announcement.allowedSubnets.map(toHex),
    allowed_groups: announcement.allowedGroups.map(toHex),
  };
}

/** This node's, with what of it is the operator's and when peers hear of it. */
export function describeOwn(capabilities: CapabilityService): object {
  const known = capabilities.known(capabilities.own.nodeId);
  const { baseline, untilBroadcastMs } = capabilities;
  return {
    ...(known === undefined ? {} : describeCapabilities(known)),
    operator: { tags: baseline.tags, metadata: Object.fromEntries(baseline.metadata) },
    policy_version: String(baseline.policyVersion),
    told_in_ms: untilBroadcastMs === undefined ? 0 : Math.round(untilBroadcastMs),
  };
}
