/**
 * Which services a node of the mesh runs, who needs whom, and in which order they start: the one place
 * that knows. They stop in the opposite order.
 */
import { systemClock, systemRandom } from "../base/mod.ts";
import type { NodeConfig } from "../config/mod.ts";
import type { NodeKeys, Ticket } from "../core/crypto/mod.ts";
import type { Supervisor } from "../kernel/mod.ts";
import type { Log, MetricRegistry } from "../observe/mod.ts";
import { registerAuthRejections } from "./auth_rejections.ts";
import { BenchService } from "./bench/mod.ts";
import { CapabilityService } from "./capabilities/mod.ts";
import { requireOperatorTag } from "./capabilities/mod.ts";
import { createCapabilityMemory } from "./capabilities/mod.ts";
import {
  channelAnnouncements,
  channelPeerFacts,
  ChannelService,
  channelTokens,
  createChannelMemory,
  DEFAULT_CHANNEL_POLICIES,
} from "./channels/mod.ts";
import { createFoldReach } from "./fold_reach.ts";
import { createFoldMemory } from "./fold_snapshots.ts";
import { FoldService } from "./folds.ts";
import { type KnownPeer, MeshService } from "./mesh.ts";
import { NatService, PortMappingService, systemPortMapMachine } from "./nat/mod.ts";
import { PlacementService } from "./placement.ts";
import { createRpcAnnouncements, RpcService } from "./rpc/mod.ts";
import type { Storage } from "./storage.ts";
import { createSubnetMemory, SubnetService } from "./subnets.ts";
import { TokenService } from "./tokens.ts";
import { ToolService } from "./tools.ts";

/** What the services are made of. */
export interface NodeParts {
  readonly supervisor: Supervisor;
  readonly config: NodeConfig;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  readonly storage: Storage;
  /** Data folder; `undefined` for a node that keeps nothing. */
  readonly folder: string | undefined;
  readonly keys: NodeKeys;
}

/** What {@linkcode addMeshServices} needs. */
export interface MeshParts extends NodeParts {
  readonly ticket: Ticket | undefined;
  readonly meshSecret: Uint8Array;
}

/** Services that start before the control surface. */
export interface MeshServices {
  readonly tokens: TokenService;
  readonly mesh: MeshService;
  readonly capabilities: CapabilityService;
  readonly nat: NatService;
  readonly portMapping: PortMappingService;
  readonly placement: PlacementService;
  readonly subnets: SubnetService;
  readonly folds: FoldService;
}

/** Services that keep callers of the control surface waiting, so that they stop before it. */
export interface OpenServices {
  readonly channels: ChannelService;
  readonly rpc: RpcService;
  readonly tools: ToolService;
  readonly bench: BenchService;
}

/** Adds the mesh, and what nodes know of each other. */
export function addMeshServices(parts: MeshParts): MeshServices {
  const { supervisor, config, log, metrics, storage, folder, keys, meshSecret, ticket } = parts;
  const deps = { clock: systemClock, log, metrics };
  const { revocationFile, tokenSweepMs } = config;
  const sweepMs = tokenSweepMs === 0 ? "never" : tokenSweepMs;
  // Before the mesh, so that nobody is let in by a token that was taken back.
  const tokens = supervisor.add(() => new TokenService(deps, { revocationFile, sweepMs }));
  const mesh = supervisor.add(() =>
    new MeshService({ ...deps, memory: storage.memory, keys }, {
      udp: config.udp,
      meshSecret,
      expect: config.expect,
      peers: config.peers.map(toKnownPeer),
      ticket,
      isSealedOnly: config.isSealedOnly,
      pcapFile: config.pcapFile,
      heartbeatMs: config.heartbeatMs,
      sessionTimeoutMs: config.sessionTimeoutMs,
    })
  );
  const capabilities = supervisor.add(() =>
    new CapabilityService(
      { ...deps, mesh, keys, memory: createCapabilityMemory(storage.ledger) },
      {
        repeatMs: config.announceEveryMs,
        sweepMs: config.capabilitySweepMs,
        facts: { tags: config.tags.map(requireOperatorTag) },
      },
    )
  );
  const nat = supervisor.add(() =>
    new NatService({ ...deps, random: systemRandom, mesh, capabilities, ownHosts }, {
      isOn: config.nat === "auto",
    })
  );
  // Who switched traversal off wants no port opened for its sake either.
  const mode = config.nat === "off" && config.portMap === "auto" ? "off" : config.portMap;
  const portMapping = supervisor.add(() =>
    new PortMappingService(
      { ...deps, random: systemRandom, mesh, nat, machine: systemPortMapMachine },
      { mode },
    )
  );
  const rttMs = (nodeId: bigint) => mesh.transport.peer(nodeId)?.rttMs;
  const placement = supervisor.add(() => new PlacementService({ ...deps, capabilities, rttMs }));
  const subnets = supervisor.add(() =>
    new SubnetService({
      ...deps,
      mesh,
      capabilities,
      memory: createSubnetMemory(storage.ledger),
    }, { subnet: config.subnet, rules: config.subnetRules, isGateway: config.isGateway })
  );
  const memory = folder === undefined ? undefined : createFoldMemory(storage.ledger);
  const reach = createFoldReach({
    clock: systemClock,
    locate: (node) => subnets.locate(node),
    visibilityOf: (hash) => subnets.visibilityOf(hash),
    targetsOf: (hash) => subnets.targetsOf(hash),
  });
  const folds = supervisor.add(() =>
    new FoldService({ ...deps, mesh, keys, capabilities, memory, reach }, {
      snapshotMs: config.snapshotEveryMs,
    })
  );

  return { tokens, mesh, capabilities, nat, portMapping, placement, subnets, folds };
}

/** Adds what serves those who wait: readers of channels, measurements. */
export function addOpenServices(
  parts: NodeParts,
  { mesh, capabilities, nat, subnets, tokens }: MeshServices,
): OpenServices {
  const { supervisor, config, log, metrics, storage, keys } = parts;
  const deps = { clock: systemClock, log, metrics };
  const facts = channelPeerFacts(capabilities, mesh);
  const channels = supervisor.add(() =>
    new ChannelService({
      ...deps,
      random: systemRandom,
      mesh,
      identity: keys.identity,
      memory: createChannelMemory(storage.ledger, log),
      announcements: channelAnnouncements(capabilities),
      facts,
      reach: subnets,
      tokens: channelTokens(tokens, keys.identity, systemClock),
      onChannelsChanged: () => subnets.refresh(),
    }, { ...DEFAULT_CHANNEL_POLICIES, unregistered: config.unregisteredChannels })
  );
  subnets.useChannels(() => channels.gated());
  const rpc = supervisor.add(() =>
    new RpcService({
      ...deps,
      random: systemRandom,
      mesh,
      identity: keys.identity,
      facts,
      channels,
      announcements: createRpcAnnouncements(capabilities),
      reach: nat,
      gates: capabilities,
    }, { sessionTimeoutMs: config.sessionTimeoutMs })
  );
  const tools = supervisor.add(() =>
    new ToolService({ clock: systemClock, metrics, rpc, capabilities })
  );
  registerAuthRejections(metrics, { channels, nat, rpc });
  const bench = supervisor.add(() =>
    new BenchService({ ...deps, random: systemRandom, mesh, policy: config.bench })
  );

  return { channels, rpc, tools, bench };
}

/** Addresses of this machine. */
function ownHosts(): string[] {
  return Deno.networkInterfaces().map(({ address }) => address);
}

function toKnownPeer(peer: NodeConfig["peers"][number]): KnownPeer {
  const { nodeId, noisePublicKey, address } = peer;
  return {
    nodeId,
    entityId: undefined,
    noisePublicKey,
    addresses: [address],
    label: "",
    isPinned: false,
  };
}
