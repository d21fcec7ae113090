/** Nodes with a channel service on a simulated network; what one announces the others know at once. */
import { Emitter } from "../../../src/base/mod.ts";
import {
  type ChannelConfig,
  CHANNELS_PER_PEER_MAX,
  RevocationRegistry,
} from "../../../src/channel/mod.ts";
import { createIdentity, type Identity } from "../../../src/core/crypto/mod.ts";
import { createMetricRegistry, silentLog } from "../../../src/observe/mod.ts";
import {
  type ChannelMemory,
  type ChannelPolicies,
  ChannelService,
  type ChannelServiceDeps,
  type ChannelSubscription,
} from "../../../src/services/mod.ts";
import { type KitNode, MeshKit } from "../../sim/mesh_kit.ts";
import { PERFECT } from "../../sim/memory_network.ts";

export { PERFECT };

/** A node and its channels. */
export interface ChannelNode {
  readonly nodeId: bigint;
  readonly identity: Identity;
  readonly node: KitNode;
  readonly channels: ChannelService;
  readonly revocations: RevocationRegistry;
  /** Further tags it announces. */
  announce(...tags: readonly string[]): void;
  /** The same on behalf of a service. */
  announceAs(source: string, tags: readonly string[]): void;
  counters(): Readonly<Record<string, number>>;
}

/** Options of a node. */
export interface ChannelNodeOptions {
  readonly policies?: Partial<ChannelPolicies>;
  readonly isVisible?: ChannelServiceDeps["reach"]["isVisible"];
  /** False makes a node that does not know what is beyond the specification. */
  readonly isOurs?: boolean;
  readonly memory?: ChannelMemory;
}

/** A mesh of such nodes. */
export class ChannelKit implements Disposable {
  readonly mesh: MeshKit;
  readonly nodes: ChannelNode[] = [];
  readonly #announced = new Map<bigint, readonly string[]>();
  /** Announcements so far. */
  changes = 0;
  readonly #hidden = new Set<bigint>();
  readonly #changes = new Emitter<[nodeId: bigint]>();

  /** @param seed Of what the network does by chance. */
  constructor(seed?: number) {
    this.mesh = new MeshKit(seed);
  }

  get clock() {
    return this.mesh.clock;
  }

  /** Makes and starts a node. */
  async node(number: number, options: ChannelNodeOptions = {}): Promise<ChannelNode> {
    const node = this.mesh.node(number, { isSealing: options.isOurs });
    const identity = createIdentity(new Uint8Array(32).fill(number));
    const metrics = createMetricRegistry();
    const revocations = new RevocationRegistry();
    const sources = new Map<string, readonly string[]>();
    const tags = () => [...sources.values()].flat();
    const announce = (source: string, added: readonly string[]) => {
      sources.set(source, added);
      const told = tags().filter((tag) =>
        options.isOurs !== false || !/^(net|channel)\b/.test(tag)
      );
      this.#announced.set(node.nodeId, told);
      this.changes += 1;
      this.#changes.emit(node.nodeId);
    };
    const channels = new ChannelService({
      clock: this.clock,
      log: silentLog,
      random: counting(number),
      mesh: { transport: node.transport },
      identity,
      metrics,
      memory: options.memory ?? memoryOf([]),
      facts: {
        entityOf: (peer) => this.#identityOf(peer)?.entityId,
        originHashOf: (peer) => this.#identityOf(peer)?.originHash,
        isOurs: (peer) => peer === node.nodeId || node.transport.peer(peer)?.isSealed === true,
        tagsOf: (peer) => this.#announced.get(peer),
      },
      reach: { isVisible: options.isVisible ?? (() => true) },
      tokens: { revocations, publishChain: () => undefined },
      announcements: {
        ownTags: tags,
        setTags: (added) => announce("channels", added),
        onTags: (handler) =>
          this.#changes.on((nodeId) => {
            if (nodeId !== node.nodeId) handler(nodeId, this.#announced.get(nodeId) ?? []);
          }),
      },
    }, {
      unregistered: "warn",
      defaultVisibility: "global",
      channelsPerPeerMax: CHANNELS_PER_PEER_MAX,
      ...options.policies,
    });
    const made: ChannelNode = {
      nodeId: node.nodeId,
      identity,
      node,
      channels,
      revocations,
      announce: (...added) => announce("test", added),
      announceAs: announce,
      counters: () => metrics.snapshot(),
    };
    this.nodes.push(made);
    await channels.start();
    return made;
  }

  /** Opens a session. */
  async connect(from: ChannelNode, to: ChannelNode): Promise<void> {
    await this.mesh.connect(from.node, to.node);
    await this.clock.advance(50);
  }

  /** Everybody hears that a node, which need not be there, announced these tags. */
  announceFor(nodeId: bigint, tags: readonly string[]): void {
    this.#announced.set(nodeId, tags);
    this.#changes.emit(nodeId);
  }

  /** What a node announced, as everybody knows it. */
  tagsOf(nodeId: bigint): readonly string[] | undefined {
    return this.#announced.get(nodeId);
  }

  /** Nodes that announced a tag. */
  *nodesAnnouncing(tag: string): Generator<bigint, void, undefined> {
    for (const [nodeId, tags] of this.#announced) if (tags.includes(tag)) yield nodeId;
  }

  /** Calls back when somebody announced something; the result stops that. */
  onAnnounced(handler: (nodeId: bigint) => void): () => void {
    return this.#changes.on(handler);
  }

  /** Origin hash of a node. */
  originHashOf(nodeId: bigint): bigint | undefined {
    return this.#identityOf(nodeId)?.originHash;
  }

  /** Lets time pass until it is so. */
  async until(isSo: () => boolean, limitMs = 20_000): Promise<boolean> {
    return await this.clock.advanceUntil(isSo, limitMs);
  }

  /** Nobody knows who a node is, as if its announcement had been lost. */
  hideIdentity(nodeId: bigint): void {
    this.#hidden.add(nodeId);
  }

  /** Everybody knows again. */
  showIdentity(nodeId: bigint): void {
    this.#hidden.delete(nodeId);
  }

  #identityOf(peer: bigint): Identity | undefined {
    if (this.#hidden.has(peer)) return undefined;
    return this.nodes.find(({ nodeId }) => nodeId === peer)?.identity;
  }

  [Symbol.dispose](): void {
    for (const { channels } of this.nodes) void channels.stop();
    this.mesh[Symbol.dispose]();
  }
}

/** Configurations in memory. */
export function memoryOf(configs: ChannelConfig[]): ChannelMemory {
  return {
    readChannels: () => Promise.resolve([...configs]),
    writeChannel: (config) => {
      const at = configs.findIndex(({ name }) => name === config.name);
      if (at < 0) configs.push(config);
      else configs[at] = config;
      return Promise.resolve();
    },
    removeChannel: (name) => {
      const at = configs.findIndex((config) => config.name === name);
      if (at >= 0) configs.splice(at, 1);
      return Promise.resolve();
    },
  };
}

/** Texts of the events that wait. */
export function textsOf({ queue }: ChannelSubscription): string[] {
  const texts: string[] = [];
  for (let event = queue.take(); event !== undefined; event = queue.take()) {
    texts.push(new TextDecoder().decode(event.bytes));
  }
  return texts;
}

/** Random bytes that never repeat. */
function counting(seed: number) {
  let count = 0;
  return (length: number) => {
    const bytes = new Uint8Array(length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, seed);
    view.setUint32(4, ++count);
    return bytes;
  };
}
