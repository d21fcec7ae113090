/**
 * Counting folds (`capabilities.md` 14, promise C2): how many nodes are in which state, in all and by
 * class; what hardware they have together; how they spread over the subnets below.
 *
 * The counts by state alone are the reference's buckets. The others are ours, under names of their own:
 * `class/0x…/idle`, `hardware/gpus`, `subnet/3.7`. Names come from fixed sets and bounded numbers, so
 * that a summary stays small however many say what.
 */
import {
  formatSubnetId,
  isSubnetAncestor,
  setSubnetLevel,
  SUBNET_GLOBAL,
  SUBNET_LEVELS,
  subnetDepth,
  subnetLevel,
} from "../../../../base/mod.ts";
import { compareUtf8 } from "../../capability_set.ts";
import type { FoldEntry } from "../entry.ts";
import { type MembershipHardware, NODE_STATES } from "../membership.ts";
import { SUMMARY_CLASSES_MAX, SUMMARY_SUBNETS_MAX } from "./limits.ts";
import type { SummaryBucket } from "./summary.ts";

/** What is counted, and from where. */
export interface SummaryScope {
  /** Only publishers in this subnet count; 0 for all. */
  readonly sourceSubnet: number;
  /** Subnet of a node by its signed word; `undefined` when it is not known. */
  locate(node: bigint): number | undefined;
}

const RESERVATION_STATES = ["active", "free", "reserved"] as const;
const OTHER = "other";

/** Counts memberships. */
export function summariseMemberships(
  entries: Iterable<FoldEntry<1>>,
  scope: SummaryScope,
): SummaryBucket[] {
  const states = new Tally(NODE_STATES);
  const classes = new Map<bigint, Tally>();
  const hardware = new Map<bigint, MembershipHardware>();
  const nodes = new Set<bigint>();
  for (const { envelope } of entries) {
    const { nodeId, classHash, payload } = envelope;
    if (!isInScope(nodeId, scope)) continue;
    states.add(payload.state);
    tallyOf(classes, classHash).add(payload.state);
    nodes.add(nodeId);
    // A node in several classes has its hardware once: the most it told of.
    const { hardware: told } = payload;
    if (told !== undefined) hardware.set(nodeId, larger(hardware.get(nodeId), told));
  }
  return sorted([
    ...states.buckets(""),
    ...classBuckets(classes),
    ...hardwareBuckets(hardware.values()),
    ...subnetBuckets(nodes, scope),
  ]);
}

/** Counts reservations. */
export function summariseReservations(
  entries: Iterable<FoldEntry<3>>,
  scope: SummaryScope,
): SummaryBucket[] {
  const states = new Tally(RESERVATION_STATES);
  const classes = new Map<bigint, Tally>();
  for (const { envelope } of entries) {
    if (!isInScope(envelope.nodeId, scope)) continue;
    const { kind } = envelope.payload.state;
    states.add(kind);
    tallyOf(classes, envelope.classHash).add(kind);
  }
  return sorted([...states.buckets(""), ...classBuckets(classes)]);
}

/** Counts by names that are given from the start, 0 for those that are not met, or by those that are. */
class Tally {
  readonly #counts: Map<string, number>;
  total = 0;

  constructor(names: readonly string[] = []) {
    this.#counts = new Map(names.map((name) => [name, 0]));
  }

  add(name: string, count = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
    this.total += count;
  }

  addAll(other: Tally): void {
    for (const [name, count] of other.#counts) this.add(name, count);
  }

  buckets(prefix: string): SummaryBucket[] {
    return [...this.#counts].map(([name, count]) => bucket(prefix + name, count));
  }
}

function tallyOf(classes: Map<bigint, Tally>, classHash: bigint): Tally {
  const known = classes.get(classHash);
  if (known !== undefined) return known;
  const tally = new Tally();
  classes.set(classHash, tally);
  return tally;
}

/** States of each of the largest classes, and of the others together. */
function classBuckets(classes: ReadonlyMap<bigint, Tally>): SummaryBucket[] {
  const [largest, rest] = split(
    [...classes].map(([classHash, tally]) => ({ classHash, tally, total: tally.total })),
    SUMMARY_CLASSES_MAX,
  );
  const others = new Tally();
  for (const { tally } of rest) others.addAll(tally);
  return [
    ...largest.flatMap(({ classHash, tally }) =>
      tally.buckets(`class/0x${classHash.toString(16)}/`)
    ),
    ...others.buckets(`class/${OTHER}/`),
  ];
}

function hardwareBuckets(all: Iterable<MembershipHardware>): SummaryBucket[] {
  const sums = new Tally(["gpus", "memory_gb", "nodes", "vram_gb"]);
  for (const { gpuCount, memoryGb = 0, vramGb = 0 } of all) {
    sums.add("nodes");
    sums.add("gpus", gpuCount);
    sums.add("memory_gb", memoryGb);
    sums.add("vram_gb", vramGb);
  }
  return sums.buckets("hardware/");
}

/** Nodes in each of the subnets right below the source, and in the source itself. */
function subnetBuckets(nodes: ReadonlySet<bigint>, scope: SummaryScope): SummaryBucket[] {
  const counts = new Map<number, number>();
  for (const node of nodes) {
    const subnet = scope.locate(node);
    if (subnet === undefined) continue;
    const child = childOf(scope.sourceSubnet, subnet);
    counts.set(child, (counts.get(child) ?? 0) + 1);
  }
  const [largest, rest] = split(
    [...counts].map(([subnet, total]) => ({ subnet, total })),
    SUMMARY_SUBNETS_MAX,
  );
  const others = rest.reduce((sum, { total }) => sum + total, 0);
  return [
    ...largest.map(({ subnet, total }) => bucket(`subnet/${formatSubnetId(subnet)}`, total)),
    ...(others === 0 ? [] : [bucket(`subnet/${OTHER}`, others)]),
  ];
}

/** The subnet one level below `source` that `subnet` lies in; `source` when it is that itself. */
function childOf(source: number, subnet: number): number {
  const depth = subnetDepth(source);
  if (depth >= SUBNET_LEVELS) return source;
  return setSubnetLevel(source, depth, subnetLevel(subnet, depth));
}

function isInScope(node: bigint, { sourceSubnet, locate }: SummaryScope): boolean {
  if (sourceSubnet === SUBNET_GLOBAL) return true;
  const subnet = locate(node);
  return subnet !== undefined && isSubnetAncestor(sourceSubnet, subnet);
}

function larger(
  known: MembershipHardware | undefined,
  told: MembershipHardware,
): MembershipHardware {
  if (known === undefined) return told;
  return {
    gpuVendor: known.gpuVendor ?? told.gpuVendor,
    gpuCount: Math.max(known.gpuCount, told.gpuCount),
    memoryGb: Math.max(known.memoryGb ?? 0, told.memoryGb ?? 0),
    vramGb: Math.max(known.vramGb ?? 0, told.vramGb ?? 0),
  };
}

/** The `count` with the greatest totals, and the rest; the first ones met win a tie. */
function split<T extends { readonly total: number }>(items: T[], count: number): [T[], T[]] {
  items.sort((left, right) => right.total - left.total);
  return [items.slice(0, count), items.slice(count)];
}

function bucket(name: string, count: number): SummaryBucket {
  return { name, count: BigInt(count) };
}

function sorted(buckets: SummaryBucket[]): SummaryBucket[] {
  return buckets.sort((left, right) => compareUtf8(left.name, right.name));
}
