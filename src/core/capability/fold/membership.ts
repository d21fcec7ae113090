/**
 * Kind 1, capability membership: a node says that it belongs to a class, with its tags, its hardware and
 * how busy it is (`capabilities.md` 12).
 *
 * Questions over memberships are the index's; this file knows the bytes only.
 */
import {
  formatIpAddress,
  parseIpAddress,
  type PostcardReader,
  type PostcardWriter,
  type SocketAddress,
} from "../../../base/mod.ts";
import { compareUtf8 } from "../capability_set.ts";
import { ALLOWED_MAX, GROUP_BYTES, SUBNET_BYTES } from "../limits.ts";

/** What a node can be doing, in the order of the numbers on the wire. */
export const NODE_STATES = ["idle", "busy", "reserved", "faulty"] as const;

/** What a node is doing. */
export type NodeState = (typeof NODE_STATES)[number];

/** Hardware in short. */
export interface MembershipHardware {
  readonly gpuVendor: string | undefined;
  /** 0 to 255. */
  readonly gpuCount: number;
  readonly memoryGb: number | undefined;
  /** Of all GPUs together. */
  readonly vramGb: number | undefined;
}

/** Payload of kind 1. */
export interface CapabilityMembership {
  /** 0 is the class of announcements, in which every node is. */
  readonly classHash: bigint;
  readonly tags: readonly string[];
  readonly hardware: MembershipHardware | undefined;
  readonly state: NodeState;
  readonly region: string | undefined;
  readonly priceQuote: bigint | undefined;
  /** As the node is seen from outside. */
  readonly reflexAddress: SocketAddress | undefined;
  /** Who may call; all three empty means everybody. */
  readonly allowedNodes: readonly bigint[];
  /** 16 bytes each. */
  readonly allowedSubnets: readonly Uint8Array[];
  /** 32 bytes each. */
  readonly allowedGroups: readonly Uint8Array[];
  readonly metadata: ReadonlyMap<string, string>;
}

const IPV4_BYTES = 4;
const IPV6_BYTES = 16;
const PORT_MAX = 0xffff;
const GPU_COUNT_MAX = 0xff;

/** Appends a membership; metadata goes in the order of its keys, which is the one that is signed. */
export function writeMembership(writer: PostcardWriter, membership: CapabilityMembership): void {
  const { hardware, reflexAddress, metadata } = membership;
  writer.varint(membership.classHash);
  writer.list(membership.tags, (tag) => writer.text(tag));
  writer.option(hardware, ({ gpuVendor, gpuCount, memoryGb, vramGb }) => {
    writer.option(gpuVendor, (vendor) => writer.text(vendor)).u8(gpuCount);
    writer.option(memoryGb, (value) => writer.varint(value));
    writer.option(vramGb, (value) => writer.varint(value));
  });
  writer.varint(NODE_STATES.indexOf(membership.state));
  writer.option(membership.region, (region) => writer.text(region));
  writer.option(membership.priceQuote, (price) => writer.varint(price));
  writer.option(reflexAddress, (address) => writeAddress(writer, address));
  writer.list(membership.allowedNodes, (nodeId) => writer.varint(nodeId));
  writer.list(membership.allowedSubnets, (subnet) => writer.bytes(subnet));
  writer.list(membership.allowedGroups, (group) => writer.bytes(group));
  const entries = [...metadata].sort(([left], [right]) => compareUtf8(left, right));
  writer.list(entries, ([key, value]) => writer.text(key).text(value));
}

/** Reads a membership; a failure shows in the reader. Bytes are copied. */
export function readMembership(reader: PostcardReader): CapabilityMembership {
  const text = () => reader.text();
  return {
    classHash: reader.u64(),
    tags: reader.list(1, text),
    hardware: reader.option(() => ({
      gpuVendor: reader.option(text),
      gpuCount: reader.u8(),
      memoryGb: reader.option(() => reader.u32()),
      vramGb: reader.option(() => reader.u32()),
    })),
    state: NODE_STATES[reader.variant(NODE_STATES.length)] ?? "faulty",
    region: reader.option(text),
    priceQuote: reader.option(() => reader.u64()),
    reflexAddress: reader.option(() => readAddress(reader)),
    allowedNodes: reader.list(1, () => reader.u64()),
    allowedSubnets: reader.list(SUBNET_BYTES, () => reader.bytes(SUBNET_BYTES).slice()),
    allowedGroups: reader.list(GROUP_BYTES, () => reader.bytes(GROUP_BYTES).slice()),
    metadata: new Map(reader.list(2, () => [reader.text(), reader.text()] as const)),
  };
}

/** False for what no honest node writes: empty tags, long allow-lists, counts out of range. */
export function isSoundMembership(membership: CapabilityMembership): boolean {
  const { tags, hardware, reflexAddress, allowedNodes, allowedSubnets, allowedGroups } = membership;
  return tags.every((tag) => tag !== "") &&
    [allowedNodes, allowedSubnets, allowedGroups].every((list) => list.length <= ALLOWED_MAX) &&
    allowedSubnets.every((subnet) => subnet.length === SUBNET_BYTES) &&
    allowedGroups.every((group) => group.length === GROUP_BYTES) &&
    (hardware === undefined || hardware.gpuCount <= GPU_COUNT_MAX) &&
    (reflexAddress === undefined || reflexAddress.port <= PORT_MAX);
}

function writeAddress(writer: PostcardWriter, { host, port }: SocketAddress): void {
  const bytes = parseIpAddress(host);
  if (bytes === undefined) {
    throw new RangeError(`Cannot encode address "${host}": must be an IP address`);
  }
  writer.varint(bytes.length === IPV4_BYTES ? 0 : 1).bytes(bytes).varint(port);
}

function readAddress(reader: PostcardReader): SocketAddress {
  const length = reader.variant(2) === 0 ? IPV4_BYTES : IPV6_BYTES;
  const bytes = reader.bytes(length);
  return { host: bytes.length === length ? formatIpAddress(bytes) : "", port: reader.u32() };
}
