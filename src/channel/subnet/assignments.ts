/**
 * Which subnet each node is in, as far as it said so in a signed announcement (`identity-and-channels.md`
 * 14). Whoever verifies announcements feeds it.
 *
 * What a node told this one itself decides who sees a channel. What others passed on, signed as well, is
 * enough for a gateway to know where a packet is going.
 */
import { highHalf, joinHalves, lowHalf, PairMap } from "../../base/mod.ts";
import { SUBNET_ASSIGNMENTS_MAX } from "../limits.ts";
import { subnetOfTags, type SubnetPolicy } from "./policy.ts";

/** Beside the 32 bits of the subnet: the node said so on its own session. */
const DIRECT = 0x1_0000_0000;

/** Subnets of nodes, by a policy. */
export class SubnetAssignments {
  /** Announcements for which there was no room. */
  droppedTotal = 0;
  readonly #policy: SubnetPolicy;
  readonly #nodesMax: number;
  /** Subnet of each node, plus DIRECT. */
  readonly #subnets = new PairMap<number>();

  /** @param nodesMax Most nodes kept. */
  constructor(policy: SubnetPolicy, nodesMax = SUBNET_ASSIGNMENTS_MAX) {
    this.#policy = policy;
    this.#nodesMax = nodesMax;
  }

  /** Nodes with an assignment. */
  get size(): number {
    return this.#subnets.size;
  }

  /** A node announced these tags on its own session. */
  onDirectAnnouncement(node: bigint, tags: readonly string[]): void {
    this.#set(node, subnetOfTags(this.#policy, tags) + DIRECT);
  }

  /** A signed announcement of a node came through others; one that was told directly before stays direct. */
  onForwardedAnnouncement(node: bigint, tags: readonly string[]): void {
    const known = this.#subnets.get(lowHalf(node), highHalf(node)) ?? 0;
    const subnet = subnetOfTags(this.#policy, tags);
    // Until the node itself confirms it, a peer keeps the subnet that it told this node.
    if (known < DIRECT) this.#set(node, subnet);
  }

  /** What a node announced no longer holds. */
  forget(node: bigint): void {
    this.#subnets.delete(lowHalf(node), highHalf(node));
  }

  /** The subnet of a peer by its own word; `undefined` for one that never announced itself here. */
  subnetOf(peer: bigint): number | undefined {
    const known = this.#subnets.get(lowHalf(peer), highHalf(peer)) ?? 0;
    return known < DIRECT ? undefined : known - DIRECT;
  }

  /** The subnet of any node by its signed word, whichever way that came; `undefined` when unknown. */
  locate(nodeLow: number, nodeHigh: number): number | undefined {
    const known = this.#subnets.get(nodeLow, nodeHigh);
    return known === undefined || known < DIRECT ? known : known - DIRECT;
  }

  /** Nodes and their subnets, in no particular order; those in `isDirect` told this node themselves. */
  *entries(): Generator<{ node: bigint; subnet: number; isDirect: boolean }, void, undefined> {
    for (const [low, high, known] of this.#subnets.entries()) {
      const isDirect = known >= DIRECT;
      yield { node: joinHalves(low, high), subnet: isDirect ? known - DIRECT : known, isDirect };
    }
  }

  #set(node: bigint, value: number): void {
    const low = lowHalf(node);
    const high = highHalf(node);
    if (this.#subnets.size >= this.#nodesMax && this.#subnets.get(low, high) === undefined) {
      this.droppedTotal += 1;
      return;
    }
    this.#subnets.set(low, high, value);
  }
}
