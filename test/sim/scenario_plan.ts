/**
 * What is going to happen in a simulated network, drawn from a seed before anything runs: nodes, links,
 * how bad the network is, partitions, restarts, jumping clocks, streams.
 */

import { MAX_EVENT_BYTES } from "../../src/core/transport/wire/header.ts";
import { ROUTING_HEADER_BYTES } from "../../src/core/transport/wire/routing_header.ts";
import { type NetworkConditions, seededRandom } from "./memory_network.ts";

/** One node. */
export interface NodePlan {
  /** It seals sessions with others that do; the rest speak compat. */
  readonly isSealing: boolean;
  /** It has pinned every sealing node: none of them may come as a compat one. */
  readonly isStrict: boolean;
  /** It announced that it understands SACKs. */
  readonly takesAckRanges: boolean;
}

/** A pair of nodes where the first dials the second, through a relay or not. */
export interface LinkPlan {
  readonly from: number;
  readonly to: number;
  readonly via: number | undefined;
  readonly form: "direct" | "routed";
}

/** Nodes that do not reach the others for a while. */
export interface PartitionPlan {
  readonly at: number;
  readonly until: number;
  readonly side: ReadonlySet<number>;
  /** Datagrams are lost in one direction only. */
  readonly isOneWay: boolean;
}

/** A node that is stopped and comes back under the same identity, with nothing else remembered. */
export interface RestartPlan {
  readonly at: number;
  readonly downMs: number;
  readonly node: number;
}

/** A clock that jumps: the node's own only ever forwards, as after a suspension; wall time both ways. */
export interface JumpPlan {
  readonly at: number;
  readonly node: number;
  readonly clock: "own" | "wall";
  readonly ms: number;
}

/** A stream over a link. */
export interface StreamPlan {
  readonly at: number;
  readonly link: LinkPlan;
  readonly isReversed: boolean;
  readonly isOrdered: boolean;
  /** Many events per packet. */
  readonly isBatched: boolean;
  /** The sender waits for room in `send` and `sendAll` instead of asking again. */
  readonly isPatient: boolean;
  /** The receiver reads event by event, and takes its time now and then. */
  readonly isRead: boolean;
  /** Packets wait their turn in the fair scheduler. */
  readonly isScheduled: boolean;
  readonly weight: number;
  readonly windowBytes: number;
  readonly count: number;
  readonly bytesMax: number;
  /** Events after which the sender gives up. */
  readonly abortAfter: number | undefined;
  /** Events after which the receiver wants no more. */
  readonly cancelAfter: number | undefined;
}

/** Everything that is going to happen. */
export interface ScenarioPlan {
  readonly seed: number;
  readonly nodes: readonly NodePlan[];
  readonly conditions: NetworkConditions;
  readonly links: readonly LinkPlan[];
  readonly partitions: readonly PartitionPlan[];
  readonly restarts: readonly RestartPlan[];
  readonly jumps: readonly JumpPlan[];
  readonly streams: readonly StreamPlan[];
}

/** Options of {@linkcode planScenario}. */
export interface PlanOptions {
  /** 2 to 30; 30 when left out. Small networks are more likely than large ones. */
  readonly nodesMax?: number;
  /** Multiplies partitions, restarts, jumps and streams; 1 when left out. */
  readonly turmoil?: number;
  /** Chance of an additional link to need a relay; 0.3 when left out. */
  readonly relayShare?: number;
}

/** How long things go wrong. */
export const STORM_MS = 15_000;

const NODES_MAX = 30;
/** From a stall of the event loop to a night in a closed laptop: beyond eviction, epochs and renewal. */
const OWN_JUMPS_MS = [300, 3_000, 8_000, 70_000, 200_000, 4_000_000];
const WALL_JUMPS_MS = [1_000, 3_600_000, 30 * 86_400_000];
const WINDOWS = [2_000, 65_536, 256_000];
const EVENT_BYTES = [8, 300, 1_900, MAX_EVENT_BYTES];

/** Draws a scenario. */
export function planScenario(seed: number, options: PlanOptions = {}): ScenarioPlan {
  const random = seededRandom(seed);
  const pick = (count: number) => Math.floor(random() * count);
  const choose = <T>(from: readonly T[]): T => from[pick(from.length)] as T;
  const many = <T>(max: number, draw: () => T): T[] =>
    Array.from({ length: pick(max) * (options.turmoil ?? 1) }, draw);
  const count = 2 + Math.floor(random() ** 2 * ((options.nodesMax ?? NODES_MAX) - 1));
  const sealedShare = choose([0, 0.5, 0.5, 1]);
  const nodes = Array.from({ length: count }, (): NodePlan => ({
    isSealing: random() < sealedShare,
    isStrict: random() < 0.3,
    takesAckRanges: random() < 0.5,
  }));
  const links = planLinks(nodes, random, options.relayShare ?? 0.3);
  // One network in five is slow: its round trips take longer than the first retransmission timeout.
  const slowness = random() < 0.2 ? 10 : 1;
  const conditions: NetworkConditions = {
    lossRate: choose([0, 0.02, 0.1, 0.2, 0.3]),
    duplicateRate: random() * 0.1,
    delayMs: (0.5 + random() * 20) * slowness,
    jitterMs: random() * 20 * slowness,
    corruptRate: choose([0, 0, 0.01]),
  };
  const partitions = many(3, (): PartitionPlan => {
    const at = random() * STORM_MS;
    const side = new Set<number>([pick(count)]);
    for (let node = 0; node < count; node++) if (random() < 0.4) side.add(node);
    const until = Math.min(at + 500 + random() * 9_000, STORM_MS);
    return { at, until, side, isOneWay: random() < 0.25 };
  });
  const restarts = many(4, (): RestartPlan => ({
    at: random() * STORM_MS * 0.9,
    downMs: random() * 2_000,
    node: pick(count),
  }));
  const jumps = many(5, (): JumpPlan => {
    const clock = choose(["own", "wall"] as const);
    const ms = clock === "own" ? choose(OWN_JUMPS_MS) : choose(WALL_JUMPS_MS) * choose([-1, 1]);
    return { at: random() * STORM_MS * 0.9, node: pick(count), clock, ms };
  });
  const streams = Array.from(
    { length: (4 + pick(12)) * (options.turmoil ?? 1) },
    (): StreamPlan => {
      const events = 1 + pick(choose([80, 80, 400]));
      return {
        at: 1_000 + random() * (STORM_MS - 1_000),
        link: choose(links),
        isReversed: random() < 0.5,
        isOrdered: random() < 0.5,
        isBatched: random() < 0.3,
        isPatient: random() < 0.3,
        isRead: random() < 0.4,
        isScheduled: random() < 0.3,
        weight: 1 + pick(16),
        windowBytes: choose(WINDOWS),
        count: events,
        bytesMax: choose(EVENT_BYTES),
        abortAfter: random() < 0.1 ? pick(events) : undefined,
        cancelAfter: random() < 0.05 ? pick(events) : undefined,
      };
    },
  ).map(fitWindow);
  return { seed, nodes, conditions, links, partitions, restarts, jumps, streams };
}

/** One line about a plan, for the log of a failing seed. */
export function describePlan(plan: ScenarioPlan): string {
  const { conditions: c, links, nodes } = plan;
  const relayed = links.filter((link) => link.via !== undefined).length;
  const sealing = nodes.filter((node) => node.isSealing).length;
  return `${nodes.length} nodes (${sealing} sealing), ${links.length} links (${relayed} relayed), ` +
    `loss ${c.lossRate}, delay ${c.delayMs.toFixed(1)}+${c.jitterMs.toFixed(1)} ms, ` +
    `${plan.partitions.length} partitions, ${plan.restarts.length} restarts, ` +
    `${plan.jumps.length} jumps, ${plan.streams.length} streams`;
}

/** A packet dearer than the whole window could never leave, and a relay needs room for its header. */
function fitWindow(stream: StreamPlan): StreamPlan {
  const { bytesMax, windowBytes, link } = stream;
  const limit = link.via === undefined ? MAX_EVENT_BYTES : MAX_EVENT_BYTES - ROUTING_HEADER_BYTES;
  return { ...stream, bytesMax: Math.min(bytesMax, windowBytes - 100, limit) };
}

/** A tree, so that the network hangs together, and some links more; some of those through a relay. */
function planLinks(
  nodes: readonly NodePlan[],
  random: () => number,
  relayShare: number,
): LinkPlan[] {
  const links: LinkPlan[] = [];
  const linked = new Set<string>();
  const add = (a: number, b: number, via: number | undefined) => {
    const key = `${Math.min(a, b)}-${Math.max(a, b)}`;
    if (a === b || linked.has(key)) return;
    linked.add(key);
    const [from, to] = random() < 0.5 ? [a, b] : [b, a];
    // Only compat sessions come about by a direct handshake.
    const isSealed = nodes[a]?.isSealing === true && nodes[b]?.isSealing === true;
    const form = !isSealed && via === undefined && random() < 0.2 ? "direct" : "routed";
    links.push({ from, to, via, form });
    // Both know of each other: their dials cross.
    if (random() < 0.25) links.push({ from: to, to: from, via, form });
  };
  const { length } = nodes;
  for (let node = 1; node < length; node++) add(node, Math.floor(random() * node), undefined);
  const direct = [...links];
  for (let i = Math.floor(random() * length); i > 0; i--) {
    const a = Math.floor(random() * length);
    const b = Math.floor(random() * length);
    const relay = random() < 1 - relayShare ? undefined : findRelay(direct, a, b);
    if (relay !== undefined || random() < 0.7) add(a, b, relay);
  }
  return links;
}

function findRelay(direct: readonly LinkPlan[], a: number, b: number): number | undefined {
  const next = (node: number) =>
    direct.flatMap(({ from, to }) => from === node ? [to] : to === node ? [from] : []);
  return next(a).find((relay) => relay !== b && next(b).includes(relay));
}
