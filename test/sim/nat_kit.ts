/** Nodes behind simulated NATs that find ways to each other, without the services above. */
import {
  type Classification,
  classifyReflex,
  NatPlane,
  type PathReport,
  type SocketAddress,
  UNKNOWN_NAT,
} from "../../src/core/transport/mod.ts";
import { NatNet, type NatNetNode, type NatNodeOptions } from "./nat_net.ts";
import type { NatKind } from "./nat_network.ts";

const ASKS_MAX = 6;

/** One node. */
export interface NatNode extends NatNetNode {
  readonly plane: NatPlane;
  /** What it announced of itself. */
  announced: Classification;
}

/** A network of them; what a node announces is known to all. */
export class NatKit extends NatNet {
  readonly #planes: NatNode[] = [];

  /** Starts a node that traverses. */
  traverser(kind: NatKind, options?: NatNodeOptions): NatNode {
    const base = this.node(kind, options);
    const node: NatNode = {
      ...base,
      announced: UNKNOWN_NAT,
      plane: new NatPlane({
        clock: this.clock,
        random: this.randomBytes,
        transport: base.transport,
        own: () => node.announced,
        know: (peer) => Promise.resolve(this.#know(peer)),
        reflexOf: (peer) => this.#find(peer)?.announced.reflex,
        isRelayCapable: () => false,
      }),
    };
    node.plane.start();
    this.cleanUps.push(() => node.plane.stop());
    this.#planes.push(node);
    return node;
  }

  /** Asks the coordinators where they see the node, and takes over what that says. */
  async classify(node: NatNode, coordinators: readonly NatNode[]): Promise<void> {
    const { transport } = node;
    const answers: SocketAddress[] = [];
    for (const coordinator of coordinators) answers.push(await this.#ask(node, coordinator));
    const { port } = transport.localAddress;
    node.announced = classifyReflex(answers, { host: "0.0.0.0", port });
  }

  /** As often as it takes: packets may be lost, and with the last of a handshake the session. */
  async #ask(node: NatNode, coordinator: NatNode): Promise<SocketAddress> {
    for (let tries = 1;; tries++) {
      try {
        return await this.settle(node.transport.queryReflex(coordinator.nodeId));
      } catch (error) {
        if (tries === ASKS_MAX) throw error;
        if (node.transport.peer(coordinator.nodeId)?.state === "connected") continue;
        await this.join(node, coordinator);
      }
    }
  }

  /** Connects two nodes and lets the time pass that it takes. */
  connect(from: NatNode, to: NatNode): Promise<PathReport> {
    return this.settle(from.plane.connector.connect(to.nodeId));
  }

  #know(peer: bigint) {
    const node = this.#find(peer);
    return {
      natClass: node?.announced.natClass ?? "unknown",
      reflex: node?.announced.reflex,
      isMapped: false,
      addresses: [],
      noisePublicKey: node?.publicKey,
    };
  }

  #find(nodeId: bigint): NatNode | undefined {
    return this.#planes.find((node) => node.nodeId === nodeId);
  }
}
