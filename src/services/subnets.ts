/**
 * The subnet service (`identity-and-channels.md` 14; promises I1, I2, I5): knows in which subnet this node and
 * others are, says so in packets, and is the gateway between subnets where the operator wants one.
 *
 * The rules are in `channel/subnet`. What channels there are is told by whoever runs them; as long as nobody
 * does, a gateway takes every channel for one that stays in its subnet.
 */
import { formatSubnetId, highHalf, lowHalf, SUBNET_GLOBAL } from "../base/mod.ts";
import {
  type ChannelExport,
  createSubnetPolicy,
  EXPORT_TARGETS_MAX,
  type ExportEntry,
  EXPORTS_MAX,
  ExportTable,
  type GatedChannel,
  Gateway,
  isChannelVisible,
  SubnetAssignments,
  subnetOfTags,
  type SubnetPolicy,
  type SubnetRule,
  type Visibility,
} from "../channel/mod.ts";
import { ORIGINS_MAX, readMembership } from "../core/capability/mod.ts";
import {
  addSubnetExport,
  type Ledger,
  readSubnetExports,
  removeSubnetExport,
} from "../core/ledger/mod.ts";
import type { Service, ServiceHealth } from "../kernel/mod.ts";
import type { Log, MetricRegistry } from "../observe/mod.ts";
import type { CapabilityChange, CapabilityService } from "./capabilities/mod.ts";
import type { MeshService } from "./mesh.ts";

/** What the service keeps over restarts. */
export interface SubnetMemory {
  readExports(): Promise<readonly ChannelExport[]>;
  addExport(row: ChannelExport): Promise<void>;
  /** Removes one subnet of a channel, or with none the channel. */
  removeExport(hash: bigint, target: number | undefined): Promise<void>;
}

/** Memory on a ledger. */
export function createSubnetMemory({ db }: Ledger): SubnetMemory {
  return {
    readExports: () => readSubnetExports(db, EXPORTS_MAX * EXPORT_TARGETS_MAX),
    addExport: (row) => addSubnetExport(db, row),
    removeExport: (hash, target) => removeSubnetExport(db, hash, target),
  };
}

/** What {@linkcode SubnetService} needs. */
export interface SubnetServiceDeps {
  readonly log: Log;
  readonly metrics: MetricRegistry;
  readonly mesh: Pick<MeshService, "transport">;
  readonly capabilities: Pick<CapabilityService, "onChange" | "own">;
  readonly memory: SubnetMemory;
}

/** Options of {@linkcode SubnetService}. */
export interface SubnetServiceOptions {
  /** Subnet of this node; what its own tags give by the rules when left out. */
  readonly subnet?: number;
  readonly rules?: readonly SubnetRule[];
  readonly isGateway?: boolean;
}

/** Members of one subnet. */
export interface SubnetMembers {
  readonly subnet: number;
  /** Peers that said so themselves, this node among them. */
  readonly members: readonly bigint[];
}

/** Subnets, as this node sees them. */
export class SubnetService implements Service {
  readonly name = "subnets";
  readonly policy: SubnetPolicy;
  /** Decides on what is relayed; `undefined` on a node that is no gateway. */
  readonly gateway: Gateway | undefined;
  readonly #deps: SubnetServiceDeps;
  readonly #given: number | undefined;
  readonly #assignments: SubnetAssignments;
  readonly #exports = new ExportTable();
  readonly #stopListening: () => void;
  #channels: () => Iterable<GatedChannel> = () => [];
  #local: number;
  #isRunning = false;
  /** Version of the announcement that was counted, of nodes with several subnet tags. */
  readonly #collapsed = new Map<bigint, bigint>();
  #collapsedTotal = 0;

  /** @throws RangeError when the rules are not what they must be. */
  constructor(deps: SubnetServiceDeps, options: SubnetServiceOptions = {}) {
    this.#deps = deps;
    this.policy = createSubnetPolicy(options.rules ?? []);
    this.#given = options.subnet;
    this.#local = options.subnet ?? SUBNET_GLOBAL;
    const assignments = this.#assignments = new SubnetAssignments(this.policy);
    const exports = this.#exports;
    if (options.isGateway) {
      this.gateway = new Gateway({ assignments, exports, channels: () => this.#channels() });
    }
    // From the first on: what others announced may come before this service starts.
    this.#stopListening = deps.capabilities.onChange((change) => this.#onChange(change));
  }

  async start(): Promise<void> {
    const { log, mesh, metrics, memory, capabilities } = this.#deps;
    for (const row of await memory.readExports()) this.#exports.add(row);
    this.#isRunning = true;
    this.#setLocal(capabilities.own.capabilities.tags);
    metrics.register("subnet", () => ({
      parse_collapsed_multi_tag: this.#collapsedTotal,
      assignments: this.#assignments.size,
      drop_assignment_total: this.#assignments.droppedTotal,
    }));
    const { gateway } = this;
    if (gateway === undefined) return;
    gateway.refresh();
    mesh.transport.setRelayGate(gateway);
    metrics.register("gateway", () => ({ ...gateway.counters }));
    log.info("gateway_started", {
      subnet: formatSubnetId(this.#local),
      exports: this.#exports.size,
    });
  }

  stop(): Promise<void> {
    this.#stopListening();
    this.#isRunning = false;
    return Promise.resolve();
  }

  health(): ServiceHealth {
    return { state: "healthy" };
  }

  /** Subnet of this node. */
  get local(): number {
    return this.#local;
  }

  /** True when the operator named the subnet, instead of leaving it to the rules. */
  get isGiven(): boolean {
    return this.#given !== undefined;
  }

  /** Where others with the same rules take this node to be: what its tags say. */
  get byTags(): number {
    return subnetOfTags(this.policy, this.#deps.capabilities.own.capabilities.tags);
  }

  /** Subnet of a peer by its own word; `undefined` when it never announced itself here. */
  subnetOf(peer: bigint): number | undefined {
    return peer === this.#deps.capabilities.own.nodeId
      ? this.#local
      : this.#assignments.subnetOf(peer);
  }

  /** Subnet of any node by its signed word, whichever way that came; `undefined` when unknown. */
  locate(node: bigint): number | undefined {
    return node === this.#deps.capabilities.own.nodeId
      ? this.#local
      : this.#assignments.locate(lowHalf(node), highHalf(node));
  }

  /** Subnets a channel is exported to; `undefined` when there are none. */
  targetsOf(hash: bigint): readonly number[] | undefined {
    return this.#exports.targetsOf(hash);
  }

  /** True when a peer may see a channel that this node publishes. */
  isVisible(visibility: Visibility, peer: bigint, hash: bigint): boolean {
    return isChannelVisible({
      visibility,
      local: this.#local,
      peer: this.subnetOf(peer),
      targets: this.#exports.targetsOf(hash),
    });
  }

  /** Every subnet that somebody is in, and who. */
  members(): SubnetMembers[] {
    const bySubnet = new Map<number, bigint[]>();
    bySubnet.set(this.#local, [this.#deps.capabilities.own.nodeId]);
    for (const { node, subnet, isDirect } of this.#assignments.entries()) {
      const members = bySubnet.get(subnet) ?? [];
      if (isDirect) members.push(node);
      bySubnet.set(subnet, members);
    }
    return Array.from(bySubnet, ([subnet, members]) => ({ subnet, members: members.sort(compare) }))
      .sort((left, right) => compare(left.subnet, right.subnet));
  }

  /**
   * Says where the gateway looks channels up; {@linkcode SubnetService.refresh} has to follow every change of
   * them.
   */
  useChannels(channels: () => Iterable<GatedChannel>): void {
    this.#channels = channels;
    this.refresh();
  }

  /** Channels or their reach have changed. */
  refresh(): void {
    this.gateway?.refresh();
  }

  /** The export table. */
  exports(): ExportEntry[] {
    return this.#exports.entries();
  }

  /** What is known here of a channel's reach; `undefined` for one that is not known. */
  visibilityOf(hash: bigint): Visibility | undefined {
    for (const channel of this.#channels()) if (channel.hash === hash) return channel.visibility;
    return undefined;
  }

  /**
   * Exports a channel to a subnet, from now on and over restarts.
   *
   * @returns False when it was exported there already.
   * @throws NetError `limit` when the table is full.
   */
  async addExport(row: ChannelExport): Promise<boolean> {
    if (!this.#exports.add(row)) return false;
    this.refresh();
    await this.#deps.memory.addExport(row);
    return true;
  }

  /** Ends the export of a channel to one subnet, or to all; false when there was none. */
  async removeExport(hash: bigint, target?: number): Promise<boolean> {
    if (!this.#exports.remove(hash, target)) return false;
    this.refresh();
    await this.#deps.memory.removeExport(hash, target);
    return true;
  }

  #onChange({ nodeId, known, isDirect }: CapabilityChange): void {
    if (known === undefined) {
      this.#assignments.forget(nodeId);
      this.#collapsed.delete(nodeId);
      return;
    }
    const { version, capabilities } = known.announcement;
    if (known.isOwn) {
      this.#setLocal(capabilities.tags);
      return;
    }
    if (isDirect) this.#assignments.onDirectAnnouncement(nodeId, capabilities.tags);
    else this.#assignments.onForwardedAnnouncement(nodeId, capabilities.tags);
    this.#countCollapsed(nodeId, version, capabilities.tags);
  }

  /** Counts every announcement with several subnet tags once, however often it is heard (promise I5). */
  #countCollapsed(nodeId: bigint, version: bigint, tags: readonly string[]): void {
    if (!readMembership(tags).isSubnetCollapsed) {
      this.#collapsed.delete(nodeId);
      return;
    }
    if (this.#collapsed.get(nodeId) === version) return;
    this.#collapsedTotal += 1;
    if (this.#collapsed.size < ORIGINS_MAX) this.#collapsed.set(nodeId, version);
  }

  #setLocal(tags: readonly string[]): void {
    this.#local = this.#given ?? subnetOfTags(this.policy, tags);
    if (this.#isRunning) this.#deps.mesh.transport.setSubnet(this.#local);
  }
}

function compare<T extends number | bigint>(left: T, right: T): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
