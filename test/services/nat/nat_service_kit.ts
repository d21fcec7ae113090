/** Traversal services on a simulated network; what a node announces reaches everybody at once. */
import type { SocketAddress } from "../../../src/core/transport/mod.ts";
import { createMetricRegistry, silentLog } from "../../../src/observe/mod.ts";
import { type CapabilityFacts, NatService } from "../../../src/services/mod.ts";
import type { NetworkConditions } from "../../sim/memory_network.ts";
import { NatNet, type NatNetNode, type NatNodeOptions } from "../../sim/nat_net.ts";
import type { NatKind } from "../../sim/nat_network.ts";

/** A node with its service. */
export interface ServedNode extends NatNetNode {
  readonly nat: NatService;
  readonly metrics: ReturnType<typeof createMetricRegistry>;
  /** What its service announces now. */
  readonly announced: CapabilityFacts | undefined;
}

/** Options of {@linkcode NatServiceKit.serve}. */
export interface ServedNodeOptions extends NatNodeOptions {
  readonly isOn?: boolean;
}

/** A network of such nodes. */
export class NatServiceKit extends NatNet {
  readonly #served: ServedNode[] = [];

  constructor(seed = 1, conditions?: NetworkConditions) {
    super(seed, conditions);
  }

  /** Starts a node and its service. */
  async serve(kind: NatKind, options: ServedNodeOptions = {}): Promise<ServedNode> {
    const node = this.node(kind, options);
    const metrics = createMetricRegistry();
    let announced: CapabilityFacts | undefined;
    const nat = new NatService({
      clock: this.clock,
      random: this.randomBytes,
      log: silentLog,
      metrics,
      mesh: {
        transport: node.transport,
        findPeer: (nodeId) => this.#find(nodeId),
        requireSealing: () => {},
      },
      capabilities: {
        contribute: (_, facts) => void (announced = facts),
        get: (nodeId) => this.#announcement(nodeId),
      },
    }, { isOn: options.isOn ?? true });
    const served: ServedNode = {
      ...node,
      nat,
      metrics,
      get announced() {
        return announced;
      },
    };
    this.#served.push(served);
    this.cleanUps.push(() => void nat.stop());
    await nat.start();
    return served;
  }

  /** Nodes in the open that the others are connected to. */
  async coordinators(count = 2): Promise<ServedNode[]> {
    const nodes: ServedNode[] = [];
    for (let i = 0; i < count; i++) nodes.push(await this.serve("open"));
    return nodes;
  }

  #find(
    nodeId: bigint,
  ): Promise<{ noisePublicKey: Uint8Array; addresses: SocketAddress[] } | undefined> {
    const node = this.nodes.find((other) => other.nodeId === nodeId);
    return Promise.resolve(node && { noisePublicKey: node.publicKey, addresses: [] });
  }

  // deno-lint-ignore no-explicit-any
  #announcement(nodeId: bigint): any {
    const facts = this.#served.find((node) => node.nodeId === nodeId)?.announced;
    if (facts === undefined) return undefined;
    return {
      capabilities: { tags: facts.tags, metadata: new Map() },
      reflexAddress: facts.reflexAddress,
    };
  }
}
