/**
 * The traversal service: learns which NAT this node is behind, announces it, finds ways to peers and
 * introduces others (`nrpc.md` 16).
 */
import { type Clock, NetError, type RandomBytes, toNetError } from "../../base/mod.ts";
import {
  type Classification,
  type ConnectDirectOptions,
  type ConnectOptions,
  createNatCounters,
  formatAddress,
  type NatClass,
  NatPlane,
  type NatStats,
  type NatTraversal,
  type PathReport,
  type PortMappingState,
  type ReflexSource,
  type SocketAddress,
  UNKNOWN_NAT,
} from "../../core/transport/mod.ts";
import type { Service, ServiceHealth } from "../../kernel/mod.ts";
import type { CounterSet, Log, MetricRegistry } from "../../observe/mod.ts";
import type { CapabilityService } from "../capabilities/mod.ts";
import type { MeshService } from "../mesh.ts";
import { ClassificationLoop } from "./classification_loop.ts";
import { NAT_TAG_PREFIX, PeerFacts, TAG_PORT_MAPPED, TAG_RELAY_CAPABLE } from "./peer_knowledge.ts";
import { ProvenKeys } from "./proven_keys.ts";
import { Reacher } from "./reacher.ts";
import { RelayFallback } from "./relay_fallback.ts";
import { Upgrader } from "./upgrader.ts";

/** What {@linkcode NatService} needs. */
export interface NatServiceDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  readonly mesh: Pick<MeshService, "transport" | "findPeer" | "requireSealing">;
  readonly capabilities: Pick<CapabilityService, "contribute" | "get">;
  /** Addresses of this machine in canonical text, for a socket bound to all of them. */
  readonly ownHosts?: () => readonly string[];
}

/** Options of {@linkcode NatService}. */
export interface NatServiceOptions {
  /**
   * False: this node does not learn its class, announces none, introduces nobody, punches with nobody and
   * leaves relayed peers where they are. It still says where it sees others, and dials when told to.
   */
  readonly isOn: boolean;
}

/** A stated address, and who stated it. */
export interface ReflexOverride {
  readonly address: SocketAddress;
  readonly source: ReflexSource;
}

const SOURCE = "nat";
const NO_MAPPING: PortMappingState = { external: undefined, renewals: 0 };

interface Running {
  readonly plane: NatPlane;
  readonly loop: ClassificationLoop;
  readonly upgrader: Upgrader;
  readonly fallback: RelayFallback;
  readonly reacher: Reacher;
  readonly stopProving: () => void;
}

/** Finds ways through NATs. */
export class NatService implements Service, NatTraversal {
  readonly name = "nat";
  readonly #deps: NatServiceDeps;
  readonly #isOn: boolean;
  readonly #facts: PeerFacts;
  #running: Running | undefined;
  #override: ReflexOverride | undefined;
  #mapping = NO_MAPPING;

  constructor(deps: NatServiceDeps, options: NatServiceOptions = { isOn: true }) {
    this.#deps = deps;
    this.#isOn = options.isOn;
    this.#facts = new PeerFacts(deps);
  }

  start(): Promise<void> {
    const { mesh, metrics, random, clock } = this.#deps;
    const { transport } = mesh;
    const facts = this.#facts;
    const plane = new NatPlane({
      clock,
      random,
      transport,
      own: () => this.#own,
      know: (peer) => facts.know(peer),
      reflexOf: (peer) => facts.reflex(peer),
      isRelayCapable: (peer) => facts.isRelayCapable(peer),
    });
    const { counters } = plane;
    const loop = new ClassificationLoop({
      clock,
      counters,
      transport,
      ownHosts: this.#deps.ownHosts,
      onChange: () => this.#announce(),
    });
    const { connector } = plane;
    const fallback = new RelayFallback({ ...this.#deps, transport, connector });
    const upgrader = new Upgrader({
      ...this.#deps,
      counters,
      transport,
      connect: (peer, options) => this.#connect(peer, options),
      ownClass: () => this.classification,
      peerClass: (peer) => facts.natClass(peer),
      peerReflex: (peer) => facts.reflex(peer),
    });
    const proven = new ProvenKeys();
    const stopProving = transport.onProven((peer) => proven.note(peer));
    const reacher = new Reacher({
      ...this.#deps,
      transport,
      keyOf: (peer) => facts.announcedKey(peer) ?? proven.get(peer),
      requireSealing: (peer, entityId) => mesh.requireSealing(peer, entityId),
    });
    this.#running = { plane, loop, upgrader, fallback, reacher, stopProving };
    metrics.register("nat", () => this.#counters());
    if (!this.#isOn) return Promise.resolve();
    plane.start();
    if (this.#override === undefined) loop.start();
    upgrader.start();
    fallback.start();
    this.#announce();
    return Promise.resolve();
  }

  stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    running?.stopProving();
    running?.reacher.stop();
    running?.fallback.stop();
    running?.upgrader.stop();
    running?.loop.stop();
    running?.plane.stop();
    return Promise.resolve();
  }

  health(): ServiceHealth {
    return { state: "healthy" };
  }

  /** False when traversal is switched off on this node. */
  get isOn(): boolean {
    return this.#isOn;
  }

  get classification(): NatClass {
    return this.#own.natClass;
  }

  get reflexAddress(): SocketAddress | undefined {
    return this.#own.reflex;
  }

  /** The stated address; `undefined` when it is learned from peers. */
  get reflexOverride(): ReflexOverride | undefined {
    return this.#override;
  }

  /** Class and address that a node announced. */
  announced(nodeId: bigint): Classification {
    return { natClass: this.#facts.natClass(nodeId), reflex: this.#facts.reflex(nodeId) };
  }

  setReflexOverride(address: SocketAddress, source: ReflexSource): void {
    if (address.port === 0) {
      throw new RangeError(`Cannot state address "${formatAddress(address)}": its port is 0`);
    }
    this.#override = { address, source };
    this.#running?.loop.stop();
    this.#announce();
  }

  clearReflexOverride(): void {
    if (this.#override === undefined) return;
    this.#override = undefined;
    if (this.#isOn) this.#running?.loop.start();
    this.#announce();
  }

  notePortMapping(state: PortMappingState): void {
    this.#mapping = state;
  }

  connectDirect(peer: bigint, options: ConnectDirectOptions = {}): Promise<PathReport> {
    return this.#connect(peer, options);
  }

  /**
   * Makes sure that there is a session with a node: where there is none, through the neighbour that leads to
   * it, with the key it announced, or proved before; also where traversal is switched off.
   *
   * @throws As {@linkcode Reacher.reach}.
   */
  reach(peer: bigint, signal?: AbortSignal): Promise<void> {
    return this.#require().reacher.reach(peer, signal);
  }

  /** False for a node that is not worth trying; see {@linkcode Reacher.mayReach}. */
  mayReach(peer: bigint): boolean {
    return this.#running?.reacher.mayReach(peer) ?? false;
  }

  /** What the last search for a peer came to, and how long ago; searches of this run only. */
  lastReport(peer: bigint): { readonly report: PathReport; readonly ageMs: number } | undefined {
    const kept = this.#require().plane.connector.lastReport(peer);
    return kept === undefined
      ? undefined
      : { report: kept.report, ageMs: this.#deps.clock.now() - kept.atMs };
  }

  /**
   * Asks a peer where it sees this node.
   *
   * @throws NatError as {@linkcode MeshTransport.queryReflex}.
   */
  queryReflex(peer: bigint): Promise<SocketAddress> {
    return this.#deps.mesh.transport.queryReflex(peer);
  }

  stats(): NatStats {
    return this.#require().plane.stats(this.#mapping);
  }

  /** Everything counted, beside the statistics. */
  counters(): CounterSet {
    return { ...(this.#running?.plane.counters ?? createNatCounters()) };
  }

  get #own(): Classification {
    if (this.#override !== undefined) return { natClass: "open", reflex: this.#override.address };
    return this.#running?.loop.result ?? UNKNOWN_NAT;
  }

  async #connect(peer: bigint, options: ConnectOptions = {}): Promise<PathReport> {
    const { plane, fallback } = this.#require();
    const report = await plane.connector.connect(peer, options);
    fallback.watch(report);
    return report;
  }

  #require(): Running {
    if (this.#running !== undefined) return this.#running;
    throw new NetError("not_ready", "Cannot look for ways to peers: the service has not started");
  }

  /** Tells peers, as part of the node's announcement, what is known now. */
  #announce(): void {
    if (!this.#isOn) return;
    const { natClass, reflex } = this.#own;
    const tags = [`${NAT_TAG_PREFIX}${natClass}`, TAG_RELAY_CAPABLE];
    if (this.#override?.source === "port_mapping") tags.push(TAG_PORT_MAPPED);
    const reflexAddress = reflex === undefined ? undefined : formatAddress(reflex);
    const { capabilities, log } = this.#deps;
    try {
      capabilities.contribute(SOURCE, { tags, reflexAddress });
      log.info("nat_classified", { class: natClass, reflex: reflexAddress });
    } catch (error) {
      // Its operator's own words leave no room.
      log.warn("nat_not_announced", { reason: toNetError(error, "Cannot announce").message });
    }
  }

  #counters(): CounterSet {
    const { port_mapping_external: _, port_mapping_active, ...stats } = this.stats();
    const { reacher } = this.#require();
    return {
      ...this.counters(),
      ...stats,
      ...reacher.counters,
      reach_running: reacher.running,
      port_mapping_active: port_mapping_active ? 1 : 0,
    };
  }
}
