/**
 * Nodes with announcements, calls and blobs on a simulated network: the real transports, capabilities, calls,
 * stores and transfers, on a clock of the test. A node can go away and come back with what it stored.
 */
import { Emitter, systemRandom } from "../../../src/base/mod.ts";
import {
  type BlobStore,
  type BlobTransfer,
  CHUNK_BYTES,
  createBlobStore,
  createBlobTransfer,
  createMemoryChunkStore,
} from "../../../src/blob/mod.ts";
import { createIdentity, createNoiseKeyPair, type NodeKeys } from "../../../src/core/crypto/mod.ts";
import { type Ledger, openLedger } from "../../../src/core/ledger/mod.ts";
import { createMetricRegistry, type MetricRegistry, silentLog } from "../../../src/observe/mod.ts";
import {
  CapabilityService,
  channelAnnouncements,
  channelPeerFacts,
  ChannelService,
  type CopyKeeperOptions,
  type CopyPolicy,
  createCapabilityMemory,
  createChannelMemory,
  createRpcAnnouncements,
  DEFAULT_CHANNEL_POLICIES,
  type HolderFinder,
  NatService,
  ReplicaService,
  RpcService,
} from "../../../src/services/mod.ts";
import { RevocationRegistry } from "../../../src/channel/mod.ts";
import { type KitNode, MeshKit } from "../../sim/mesh_kit.ts";

/** What of a node outlives a restart. */
interface Disk {
  readonly ledger: Ledger;
  readonly store: BlobStore;
}

/** A running node. */
export interface BlobMeshNode {
  readonly number: number;
  readonly nodeId: bigint;
  readonly node: KitNode;
  readonly keys: NodeKeys;
  readonly metrics: MetricRegistry;
  readonly capabilities: CapabilityService;
  readonly nat: NatService;
  readonly rpc: RpcService;
  readonly ledger: Ledger;
  readonly store: BlobStore;
  readonly transfer: BlobTransfer;
  readonly finder: HolderFinder;
  readonly replicas: ReplicaService;
  /** What it takes for others. */
  setPolicy(policy: CopyPolicy): void;
  /** Further parts of a test, stopped before the node is. */
  readonly parts: { stop(): Promise<void> | void }[];
}

/** Options of {@linkcode BlobMeshKit}. */
export interface BlobMeshOptions {
  readonly seed?: number;
  /** How copies are kept. */
  readonly keeper?: CopyKeeperOptions;
  /** Bytes that the store of one node holds; 64 MiB when left out. */
  readonly storeBytes?: number;
  /** What nodes announce beside what their services do, by number. */
  readonly tags?: Readonly<Record<number, readonly string[]>>;
}

/** Bytes that the store of one node holds. */
const STORE_BYTES = 16 * CHUNK_BYTES;
/** So long until everybody has heard of everybody through pingwaves and announcements. */
export const MEET_MS = 15_000;

/** A mesh of them. */
export class BlobMeshKit {
  readonly mesh: MeshKit;
  readonly nodes = new Map<number, BlobMeshNode>();
  readonly #disks = new Map<number, Disk>();
  readonly #options: BlobMeshOptions;

  constructor(options: BlobMeshOptions = {}) {
    this.#options = options;
    this.mesh = new MeshKit(options.seed);
  }

  get clock() {
    return this.mesh.clock;
  }

  /** Starts a node, or one that was stopped again. */
  async start(number: number): Promise<BlobMeshNode> {
    const { clock } = this;
    const node = this.mesh.node(number);
    const keys = keysOf(number);
    const { identity } = keys;
    const { ledger, store } = await this.#disk(number);
    const metrics = createMetricRegistry();
    const deps = { clock, log: silentLog, metrics, random: systemRandom };
    const { transport } = node;
    const mesh = {
      transport,
      requireSealing: () => {},
      findPeer: () => Promise.resolve(undefined),
    };
    const memory = createCapabilityMemory(ledger);
    const capabilities = new CapabilityService({ ...deps, mesh, keys, memory });
    const nat = new NatService({ ...deps, mesh, capabilities }, { isOn: false });
    const facts = channelPeerFacts(capabilities, mesh);
    const channels = new ChannelService({
      ...deps,
      mesh,
      identity,
      memory: createChannelMemory(ledger, silentLog),
      announcements: channelAnnouncements(capabilities),
      facts,
      reach: { isVisible: () => true },
      tokens: { revocations: new RevocationRegistry(), publishChain: () => undefined },
    }, DEFAULT_CHANNEL_POLICIES);
    const rpc = new RpcService({
      ...deps,
      mesh,
      identity,
      facts,
      channels,
      announcements: createRpcAnnouncements(capabilities),
      reach: nat,
      gates: capabilities,
    });
    const services = [capabilities, nat, channels, rpc];
    for (const service of services) await service.start();
    const transfer = createBlobTransfer({
      ...deps,
      link: transport,
      source: store,
      reach: (peer, signal) => nat.reach(peer, signal),
    });
    transfer.start();
    const changes = new Emitter<[]>();
    const policy = {
      current: { isAccepting: true, capBytes: Infinity } as CopyPolicy,
      onChange: (handler: () => void) => changes.on(handler),
    };
    const replicas = new ReplicaService({
      ...deps,
      store,
      ledger,
      transfer: () => transfer,
      capabilities,
      rpc,
      connectedPeers: () => transport.connectedPeers(),
      rttMs: (peer) => transport.peer(peer)?.rttMs,
      reach: (peer, signal) => nat.reach(peer, signal),
      mayReach: (peer) => nat.mayReach(peer),
      policy,
    }, this.#options.keeper);
    const { finder } = replicas;
    transfer.useFinder({ holdersOf: (hash, signal) => finder.holdersOf(hash, { signal }) });
    capabilities.contribute("test", { tags: this.#options.tags?.[number] ?? [] });
    await replicas.start();
    const parts: BlobMeshNode["parts"] = [
      ...services.map((service) => ({ stop: () => service.stop() })),
      transfer,
      replicas,
    ];
    const made = {
      number,
      nodeId: node.nodeId,
      node,
      keys,
      metrics,
      capabilities,
      nat,
      rpc,
      ledger,
      store,
      transfer,
      finder,
      replicas,
      setPolicy: (next: CopyPolicy) => {
        policy.current = next;
        changes.emit();
      },
      parts,
    };
    this.nodes.set(number, made);
    return made;
  }

  /** What a node stored, also while it is down. */
  diskOf(number: number): BlobStore {
    const disk = this.#disks.get(number);
    if (disk === undefined) throw new RangeError(`There never was a node ${number}`);
    return disk.store;
  }

  /** Opens a session between two running nodes. */
  connect(from: BlobMeshNode, to: BlobMeshNode): Promise<void> {
    return this.mesh.connect(from.node, to.node);
  }

  /** Ends a node at once; what it stored stays. */
  async stop(number: number): Promise<void> {
    const node = this.nodes.get(number);
    if (node === undefined) return;
    this.nodes.delete(number);
    node.node.transport.stop();
    for (const part of node.parts.toReversed()) await this.run(Promise.resolve(part.stop()));
  }

  /** Moves time on until `work` settles; files and ledgers get their turns. */
  async run<T>(work: Promise<T>, stepMs = 1): Promise<T> {
    let isSettled = false;
    work.then(() => isSettled = true, () => isSettled = true);
    while (!isSettled) {
      await new Promise((resolve) => setImmediate(resolve));
      await this.clock.advance(stepMs);
    }
    return await work;
  }

  /** Lets time pass. */
  async pass(ms: number, stepMs = 50): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      await new Promise((resolve) => setImmediate(resolve));
      await this.clock.advance(stepMs);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const number of [...this.nodes.keys()]) await this.stop(number);
    for (const { ledger } of this.#disks.values()) await ledger.close();
    this.mesh[Symbol.dispose]();
  }

  async #disk(number: number): Promise<Disk> {
    const known = this.#disks.get(number);
    if (known !== undefined) return known;
    const ledger = openLedger({ path: ":memory:" });
    const chunks = createMemoryChunkStore({
      bytesMax: this.#options.storeBytes ?? STORE_BYTES,
    });
    const store = await createBlobStore({ ledger, chunks, clock: this.clock, log: silentLog });
    const disk = { ledger, store };
    this.#disks.set(number, disk);
    return disk;
  }
}

/** The keys that {@linkcode MeshKit.node} gives a node of this number. */
function keysOf(number: number): NodeKeys {
  const identitySeed = new Uint8Array(32).fill(number);
  return {
    identity: createIdentity(identitySeed),
    identitySeed,
    noise: createNoiseKeyPair(new Uint8Array(32).fill(100 + number)),
    meshSecret: new Uint8Array(32).fill(9),
    created: [],
    warnings: [],
  };
}

/** A source of bytes that depend on `seed` only. */
export function bytesOf(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = seed * 2_654_435_761 >>> 0;
  for (let i = 0; i < length; i++) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223 >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** The same as a source that a store reads. */
export function sourceOf(bytes: Uint8Array) {
  let at = 0;
  return {
    read: (into: Uint8Array) => {
      const part = bytes.subarray(at, at + into.length);
      into.set(part);
      at += part.length;
      return Promise.resolve(part.length === 0 ? null : part.length);
    },
  };
}
