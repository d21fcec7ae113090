/** Subnets and the gateway as methods tell of them (`operator.md`, verbs `subnet` and `gateway`). */
import {
  formatSubnetId,
  idToHex,
  SUBNET_GLOBAL,
  subnetDepth,
  subnetParent,
} from "../../base/mod.ts";
import type { SubnetService } from "../../services/mod.ts";

/** Result of `subnet.show`. */
export function describeSubnet(subnets: SubnetService): object {
  const { local, isGiven, byTags } = subnets;
  const peers = subnets.members().reduce((sum, { members }) => sum + members.length, 0) - 1;
  return {
    local_subnet: formatSubnetId(local),
    depth: subnetDepth(local),
    source: isGiven ? "given" : "tags",
    by_tags: formatSubnetId(byTags),
    known_peer_count: peers,
    is_gateway: subnets.gateway !== undefined,
  };
}

/** Members of `subnet.ls`. */
export function describeSubnets(subnets: SubnetService): object[] {
  return subnets.members().map(({ subnet, members }) => ({
    subnet: formatSubnetId(subnet),
    depth: subnetDepth(subnet),
    is_local: subnet === subnets.local,
    member_count: members.length,
    members: members.map(idToHex),
  }));
}

/** Members of `subnet.tree`: every subnet somebody is in, with all it lies in, from the outside in. */
export function describeSubnetTree(subnets: SubnetService): object[] {
  const counts = new Map<number, number>();
  for (const { subnet, members } of subnets.members()) {
    counts.set(subnet, members.length);
    for (let around = subnet; around !== SUBNET_GLOBAL;) {
      around = subnetParent(around);
      if (!counts.has(around)) counts.set(around, 0);
    }
  }
  // The first level is in the top byte, so that numbers in order are the tree from top to bottom.
  return [...counts].sort(([left], [right]) => left - right).map(([subnet, count]) => ({
    subnet: formatSubnetId(subnet),
    depth: subnetDepth(subnet),
    parent: subnet === SUBNET_GLOBAL ? null : formatSubnetId(subnetParent(subnet)),
    is_local: subnet === subnets.local,
    member_count: count,
  }));
}

/** Members of `subnet.policy`. */
export function describePolicy(subnets: SubnetService): object[] {
  return subnets.policy.map(({ tagPrefix, level, values }) => ({
    tag_prefix: tagPrefix,
    level,
    values: Object.fromEntries(values),
  }));
}

/** Result of `gateway.stats`. */
export function describeGateway(subnets: SubnetService): object {
  const { gateway } = subnets;
  const peers = subnets.members().map(({ subnet }) => subnet);
  const drops = Object.entries(gateway?.counters ?? {}).filter(([name]) =>
    name !== "forwarded_total"
  )
    .map(([name, count]) => [name.replace(/^drop_(.*)_total$/, "$1"), count]);
  return {
    gateway_installed: gateway !== undefined,
    local_subnet: formatSubnetId(subnets.local),
    forwarded: gateway?.counters.forwarded_total ?? 0,
    dropped: gateway?.droppedTotal ?? 0,
    drops: Object.fromEntries(drops),
    peer_subnet_count: peers.length,
    peer_subnets: peers.map(formatSubnetId),
    export_rules: subnets.exports().length,
  };
}

/** Members of `gateway.exports`. */
export function describeExports(subnets: SubnetService): object[] {
  return subnets.exports().map(({ hash, name, targets }) => ({
    channel_hash: idToHex(hash),
    channel: name,
    visibility: subnets.visibilityOf(hash) ?? null,
    target_count: targets.length,
    targets: targets.map(formatSubnetId),
  }));
}
