/**
 * What runs while the call service does: the engines of both sides, the links they work on, and how they are tied
 * to each other, to sessions, channels, announcements and gates.
 */
import type { Clock, RandomBytes } from "../../base/mod.ts";
import type { PeerFacts } from "../../channel/mod.ts";
import type { Identity } from "../../core/crypto/mod.ts";
import type { Log, MetricRegistry } from "../../observe/mod.ts";
import {
  JoinBudget,
  type LinkCounters,
  RpcClient,
  type RpcMetrics,
  RpcServer,
  ServiceCaller,
  ServiceDirectory,
  serviceTag,
} from "../../rpc/mod.ts";
import { Allowances } from "./allowances.ts";
import { CallerGate } from "./caller_gate.ts";
import { PeerClientLinks } from "./client_links.ts";
import { LoopbackLinks } from "./loopback_links.ts";
import type {
  LinkParts,
  RpcAnnouncements,
  RpcChannels,
  RpcReach,
  RpcTransport,
} from "./rpc_parts.ts";
import { PeerServerLinks } from "./server_links.ts";
import { SilenceWatch } from "./silence_watch.ts";

/** Who may call what (`nrpc.md` 11). */
export interface RpcGates {
  /** Whether this node may ask `target` for what a tag names. */
  mayExecute(target: bigint, tag: string): boolean;
  /** Whether `caller` may ask this node. */
  mayAdmit(caller: bigint, tag: string): boolean;
}

/** What {@linkcode RpcService} needs. */
export interface RpcServiceDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: RandomBytes;
  readonly metrics: MetricRegistry;
  /** Its transport is asked for when the service starts. */
  readonly mesh: { readonly transport: RpcTransport };
  readonly identity: Pick<Identity, "originHash">;
  readonly facts: Pick<PeerFacts, "isOurs" | "originHashOf">;
  readonly channels: RpcChannels;
  readonly announcements: RpcAnnouncements;
  readonly reach: RpcReach;
  readonly gates: RpcGates;
}

/** What runs while the service does. */
export interface RpcRun {
  readonly parts: LinkParts;
  readonly loopback: LoopbackLinks;
  readonly clientLinks: PeerClientLinks;
  readonly serverLinks: PeerServerLinks;
  readonly client: RpcClient;
  readonly server: RpcServer;
  readonly directory: ServiceDirectory;
  readonly caller: ServiceCaller;
}

/** What the engines and links count in. */
export interface RpcRunOptions {
  readonly meters: RpcMetrics;
  readonly counters: LinkCounters;
  readonly sessionTimeoutMs: number;
}

/** Makes all of it; the mesh has started. */
export function createRpcRun(deps: RpcServiceDeps, options: RpcRunOptions): RpcRun {
  const { clock, log, random, announcements, gates, mesh: { transport } } = deps;
  const { meters } = options;
  const { nodeId } = transport;
  const parts = createLinkParts(deps, options);
  const loopback = new LoopbackLinks(parts);
  const clientLinks = new PeerClientLinks(parts, loopback);
  const serverLinks = new PeerServerLinks(parts);
  loopback.useServices((service) => serverLinks.local(service));
  const gate = new CallerGate({
    announcements,
    mayExecute: (target, tag) => gates.mayExecute(target, tag),
  });
  const client = new RpcClient({
    clock,
    random,
    links: clientLinks,
    meters,
    nodeId,
    mayExecute: (target, service) => gate.mayCall(target, service),
  });
  clientLinks.useSink(client);
  const server = new RpcServer({
    clock,
    log,
    links: serverLinks,
    meters,
    seed: new DataView(random(4).buffer).getInt32(0),
    nodeId,
    mayAdmit: (peer, service) => gates.mayAdmit(peer, serviceTag(service)),
    admissionVersion: () => announcements.version,
  });
  const directory = createDirectory(deps);
  const caller = new ServiceCaller({
    clock,
    random: () => new DataView(random(4).buffer).getUint32(0) / 0x1_0000_0000,
    targets: client,
    directory,
    tokens: client.cancelTokens,
    meters,
    nodeId,
  });
  return { parts, loopback, clientLinks, serverLinks, client, server, directory, caller };
}

function createLinkParts(
  deps: RpcServiceDeps,
  { counters, sessionTimeoutMs }: RpcRunOptions,
): LinkParts {
  const { clock, log, identity, facts, channels, announcements, reach, mesh: { transport } } = deps;
  return {
    clock,
    log,
    transport,
    originHash: identity.originHash,
    facts,
    channels,
    announcements,
    reach,
    counters,
    budget: new JoinBudget(),
    allowances: new Allowances(),
    watch: new SilenceWatch({ clock, transport }, sessionTimeoutMs),
  };
}

function createDirectory(
  { announcements, gates, reach, mesh: { transport } }: RpcServiceDeps,
): ServiceDirectory {
  return new ServiceDirectory({
    nodesOffering: (service) => announcements.nodesOffering(service),
    mayExecute: (node, service) => gates.mayExecute(node, serviceTag(service)),
    version: () => announcements.version,
    isHealthy: (node) => node === transport.nodeId || reach.mayReach(node),
    roundTripMs: (node) => node === transport.nodeId ? 0 : transport.peer(node)?.rttMs,
  });
}
