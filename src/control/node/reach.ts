/**
 * How a peer is reached, and why not better (`nrpc.md` 16): the session, the addresses that are known and
 * who said so, the NATs of both sides, the ways that were tried, the relay, the port at the gateway.
 *
 * It only looks, and tries the ways again where there is no direct session; what to do next is derived
 * from that in `reach_advice.ts`.
 */
import { idToHex, NetError } from "../../base/mod.ts";
import { decidePair, formatAddress, type PathReport } from "../../core/transport/mod.ts";
import type {
  AddressSource,
  KnownAddress,
  NatService,
  PortMappingService,
} from "../../services/mod.ts";
import type { CallContext } from "../method.ts";
import type { MeshView } from "./mesh_view.ts";
import { describePaths } from "./path_view.ts";
import { resolvePeer } from "./peer_ref.ts";
import { adviseOn } from "./reach_advice.ts";
import { relayOf } from "./routes.ts";

/** What of a node is looked at. */
export interface ReachView extends MeshView {
  readonly mesh: MeshView["mesh"] & {
    addressesOf(nodeId: bigint): Promise<readonly KnownAddress[]>;
  };
  readonly nat: Pick<
    NatService,
    | "isOn"
    | "classification"
    | "reflexAddress"
    | "reflexOverride"
    | "announced"
    | "connectDirect"
    | "reach"
    | "lastReport"
  >;
  readonly portMapping: Pick<PortMappingService, "report">;
}

/** Options of {@linkcode reachPeer}. */
export interface ReachOptions {
  readonly peer: string;
  /** Tries the ways again unless there is a direct session. */
  readonly isTrying: boolean;
  /** Longest time for trying, in milliseconds. */
  readonly timeoutMs: number;
}

/** Clocks that differ by less do no harm: both sides punch for five seconds. */
const CLOCK_SKEW_MS = 1_000;

/**
 * Everything that is known of reaching a peer.
 *
 * @throws NetError `usage` for what is no id, `not_found` for one that nothing is known of.
 */
export async function reachPeer(
  node: ReachView,
  options: ReachOptions,
  context: CallContext,
): Promise<object> {
  const nodeId = resolvePeer(node, options.peer, "Cannot look for");
  const id = idToHex(nodeId);
  const { transport } = node.mesh;
  if (nodeId === transport.nodeId) {
    throw new NetError("usage", `Cannot look for ${id}: it is this node itself`, {
      next: "name another node; see net node peers",
    });
  }
  if (!await isKnown(node, nodeId)) {
    throw new NetError("not_found", `Cannot look for ${id}: nothing is known of it`, {
      next: "see net node peers and net node routes for the nodes that are known",
    });
  }
  const tried = options.isTrying && !isDirect(node, nodeId)
    ? await node.nat.connectDirect(nodeId, {
      signal: context.signal,
      timeoutMs: options.timeoutMs,
    })
    : undefined;
  const kept = node.nat.lastReport(nodeId);
  const report = tried ?? kept?.report;
  const addresses = await describeAddresses(node, nodeId);
  const session = describeSession(node, nodeId);
  const facts = {
    node_id: id,
    session,
    addresses,
    nat: describeNat(node, nodeId),
    paths: report === undefined ? [] : describePaths(report),
    tried_ago_ms: tried !== undefined ? 0 : kept === undefined ? null : Math.round(kept.ageMs),
    coordinator: lastVia(report, "punch"),
    relay: session?.relay ?? null,
    port_mapping: node.portMapping.report(),
    clock_behind_ms: clockBehindMs(node, nodeId),
  };
  return { ...facts, next: adviseOn(facts) };
}

/** Everything of {@linkcode reachPeer} that advice is derived from. */
export interface ReachFacts {
  readonly node_id: string;
  readonly session: SessionFacts | null;
  readonly addresses: readonly AddressRow[];
  readonly nat: NatFacts;
  readonly paths: ReturnType<typeof describePaths>;
  readonly port_mapping: ReturnType<PortMappingService["report"]>;
  readonly clock_behind_ms: number | null;
}

/** The session there is. */
export interface SessionFacts {
  readonly state: string;
  readonly form: string;
  readonly relayed: boolean;
  readonly relay: string | null;
  readonly trust: "proven" | "unproven";
  readonly address: string;
  readonly rtt_ms: number | null;
  readonly age_ms: number;
  /** True when this node began it. */
  readonly initiator: boolean;
}

/** An address, and everybody who says so. */
export interface AddressRow {
  readonly address: string;
  readonly sources: readonly (AddressSource | "session" | "announced")[];
}

/** The NATs of both sides. */
export interface NatFacts {
  readonly enabled: boolean;
  readonly own: string;
  readonly own_reflex: string | null;
  /** Who stated the own address; `null` when peers see it. */
  readonly own_stated_by: string | null;
  readonly peer: string;
  readonly peer_reflex: string | null;
  /** What the two classes allow. */
  readonly action: string;
}

function isDirect(node: ReachView, nodeId: bigint): boolean {
  const peer = node.mesh.transport.peer(nodeId);
  return peer !== undefined && !peer.isRelayed &&
    (peer.state === "connected" || peer.state === "suspected");
}

/** True when anything at all leads to it or was said of it. */
async function isKnown(node: ReachView, nodeId: bigint): Promise<boolean> {
  const { transport, dialer } = node.mesh;
  return transport.peer(nodeId) !== undefined ||
    dialer.targets().some(({ target }) => target.nodeId === nodeId) ||
    transport.routes().some((route) => route.nodeId === nodeId) ||
    node.nat.announced(nodeId).reflex !== undefined ||
    (await node.mesh.addressesOf(nodeId)).length > 0;
}

function describeSession(node: ReachView, nodeId: bigint): SessionFacts | null {
  const peer = node.mesh.transport.peer(nodeId);
  if (peer === undefined || peer.state === "connecting") return null;
  const relay = peer.isRelayed ? relayOf(node, nodeId) : undefined;
  return {
    state: peer.state,
    form: peer.form,
    relayed: peer.isRelayed,
    relay: relay === undefined ? null : idToHex(relay),
    trust: peer.isSealed ? "proven" : "unproven",
    address: formatAddress(peer.address),
    rtt_ms: peer.rttMs === undefined ? null : Math.round(peer.rttMs * 1000) / 1000,
    age_ms: Math.round(peer.sessionAgeMs),
    initiator: peer.initiator,
  };
}

function describeNat({ nat }: ReachView, nodeId: bigint): NatFacts {
  const announced = nat.announced(nodeId);
  return {
    enabled: nat.isOn,
    own: nat.classification,
    own_reflex: nat.reflexAddress === undefined ? null : formatAddress(nat.reflexAddress),
    own_stated_by: nat.reflexOverride?.source ?? null,
    peer: announced.natClass,
    peer_reflex: announced.reflex === undefined ? null : formatAddress(announced.reflex),
    action: decidePair(nat.classification, announced.natClass),
  };
}

async function describeAddresses(node: ReachView, nodeId: bigint): Promise<readonly AddressRow[]> {
  const rows = new Map<string, Set<AddressRow["sources"][number]>>();
  const add = (address: string, source: AddressRow["sources"][number]) => {
    rows.set(address, (rows.get(address) ?? new Set()).add(source));
  };
  const peer = node.mesh.transport.peer(nodeId);
  // The address of a relayed session is the relay's.
  if (peer !== undefined && !peer.isRelayed) add(formatAddress(peer.address), "session");
  const { reflex } = node.nat.announced(nodeId);
  if (reflex !== undefined) add(formatAddress(reflex), "announced");
  for (const { address, source } of await node.mesh.addressesOf(nodeId)) {
    add(formatAddress(address), source);
  }
  return [...rows].map(([address, sources]) => ({ address, sources: [...sources] }));
}

function lastVia(report: PathReport | undefined, kind: string): string | null {
  const via = report?.attempts.findLast((attempt) => attempt.kind === kind)?.via;
  return via === undefined ? null : idToHex(via);
}

/** How far the peer's clock is behind, as its pingwaves say; `null` where that is little or unknown. */
function clockBehindMs(node: ReachView, nodeId: bigint): number | null {
  const found = node.mesh.transport.discoveredNodes().find((other) => other.nodeId === nodeId);
  if (found === undefined || found.latencyMs < CLOCK_SKEW_MS) return null;
  return Math.round(found.latencyMs);
}
