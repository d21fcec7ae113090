/** What this node knows of others that helps to reach them: announced, remembered, proven. */
import { announcedNoiseKey } from "../../core/capability/mod.ts";
import {
  type NatClass,
  parseAddress,
  type PeerKnowledge,
  type SocketAddress,
} from "../../core/transport/mod.ts";
import type { CapabilityService } from "../capabilities/mod.ts";
import type { MeshService } from "../mesh.ts";

/** Says what class of NAT a node is behind; exactly one of a node's tags does. */
export const NAT_TAG_PREFIX = "nat:";
/** Said by nodes that relay and introduce. */
export const TAG_RELAY_CAPABLE = "relay-capable";
/** Said by nodes of ours whose address is a mapping at their gateway. */
export const TAG_PORT_MAPPED = "net.port-mapped@1";

/** What {@linkcode PeerFacts} needs. */
export interface PeerFactsDeps {
  readonly capabilities: Pick<CapabilityService, "get">;
  readonly mesh: Pick<MeshService, "findPeer" | "requireSealing">;
}

/** The Noise key of a node, and the entity that says so, announced or proven. */
export interface NoiseIdentity {
  readonly entityId: Uint8Array;
  /** 32 bytes. */
  readonly noisePublicKey: Uint8Array;
  /** Version of the announcement; 0 for what was proven on a session. */
  readonly version: bigint;
}

/** Reads what nodes announced. */
export class PeerFacts {
  readonly #deps: PeerFactsDeps;

  constructor(deps: PeerFactsDeps) {
    this.#deps = deps;
  }

  /**
   * Everything about one node. The key it announced counts more than one that is remembered, and obliges: a
   * session that is made with it is sealed, with the entity that announced it.
   */
  async know(nodeId: bigint): Promise<PeerKnowledge> {
    const { mesh } = this.#deps;
    const known = await mesh.findPeer(nodeId);
    const announced = this.announcedKey(nodeId);
    if (announced !== undefined) mesh.requireSealing(nodeId, announced.entityId);
    return {
      natClass: this.natClass(nodeId),
      reflex: this.reflex(nodeId),
      isMapped: this.#tags(nodeId).includes(TAG_PORT_MAPPED),
      addresses: known?.addresses ?? [],
      noisePublicKey: announced?.noisePublicKey ?? known?.noisePublicKey,
    };
  }

  /** The key it announced; `undefined` for nodes that don't seal, which announce none. */
  announcedKey(nodeId: bigint): NoiseIdentity | undefined {
    const announcement = this.#deps.capabilities.get(nodeId);
    const noisePublicKey = announcement && announcedNoiseKey(announcement);
    if (announcement === undefined || noisePublicKey === undefined) return undefined;
    const { entityId, version } = announcement;
    return { entityId, noisePublicKey, version };
  }

  /** The address it announced. */
  reflex(nodeId: bigint): SocketAddress | undefined {
    const text = this.#deps.capabilities.get(nodeId)?.reflexAddress;
    return text === undefined ? undefined : parseAddress(text);
  }

  /** The class it announced; `unknown` without one. */
  natClass(nodeId: bigint): NatClass {
    const tag = this.#tags(nodeId).find((tag) => tag.startsWith(NAT_TAG_PREFIX));
    switch (tag?.slice(NAT_TAG_PREFIX.length)) {
      case "open":
        return "open";
      case "cone":
        return "cone";
      case "symmetric":
        return "symmetric";
      default:
        return "unknown";
    }
  }

  /** True when it announced that it relays and introduces. */
  isRelayCapable(nodeId: bigint): boolean {
    return this.#tags(nodeId).includes(TAG_RELAY_CAPABLE);
  }

  #tags(nodeId: bigint): readonly string[] {
    return this.#deps.capabilities.get(nodeId)?.capabilities.tags ?? [];
  }
}
