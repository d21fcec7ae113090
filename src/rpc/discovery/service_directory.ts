/**
 * Nodes that a call by name may go to (`nrpc.md` 11): those that announce the service, without those that are given
 * up, without those whose gate keeps this node out, in the order of the routing policy. The same for calls of all
 * shapes (promise N5).
 */
import { idToHex } from "../../base/mod.ts";
import { RpcError } from "../error.ts";
import type { CallOptions } from "../types.ts";
import { DISCOVERED_SERVICES_MAX } from "./limits.ts";
import { callOrder } from "./routing.ts";

/** What is known of other nodes. */
export interface DiscoveryDeps {
  /** Nodes that announce `nrpc:<service>`, in any order. */
  nodesOffering(service: string): Iterable<bigint>;
  /** The caller gate: whether a node admits this one to a service, as far as it says. */
  mayExecute(node: bigint, service: string): boolean;
  /** Moves on whenever one of the two above may answer differently. */
  version(): number;
  /** False for a peer that is given up. */
  isHealthy(node: bigint): boolean;
  /** Milliseconds there and back; `undefined` while it is not known. */
  roundTripMs(node: bigint): number | undefined;
}

/** Options of {@linkcode ServiceDirectory.candidates}. */
export type CandidateOptions = Pick<CallOptions, "routing" | "filterUnhealthy">;

interface Offer {
  version: number;
  /** All that announce it, by ascending id. */
  nodes: readonly bigint[];
  /** Those of them that admit this node. */
  admitting: readonly bigint[];
  /** Calls that picked among them. */
  picks: number;
}

const ROUND_ROBIN = { kind: "round_robin" } as const;

/** Finds servers. */
export class ServiceDirectory {
  readonly #deps: DiscoveryDeps;
  /** The one asked for longest ago first. */
  readonly #offers = new Map<string, Offer>();
  #forgotten = 0;

  constructor(deps: DiscoveryDeps) {
    this.#deps = deps;
  }

  /** Services that are kept, and those that were forgotten because too many were asked for. */
  get counters(): Readonly<Record<"services" | "services_forgotten", number>> {
    return { services: this.#offers.size, services_forgotten: this.#forgotten };
  }

  /** Nodes that announce a service, by ascending id, whoever may call them (promise 61). */
  nodesOf(service: string): readonly bigint[] {
    return sorted(this.#deps.nodesOffering(service));
  }

  /**
   * Nodes to ask, the first one first; each call of this counts as a pick.
   *
   * @returns At least one.
   * @throws RpcError `no_route` when nobody offers the service or all who do are given up; `capability_denied`
   * when none of them admits this node, naming one of them (promise N7).
   */
  candidates(service: string, options: CandidateOptions = {}): readonly bigint[] {
    const { routing = ROUND_ROBIN, filterUnhealthy = true } = options;
    const offer = this.#offerOf(service);
    const isAsked = (node: bigint) => !filterUnhealthy || this.#deps.isHealthy(node);
    const able = offer.admitting.every(isAsked) ? offer.admitting : offer.admitting.filter(isAsked);
    if (able.length === 0) {
      const refusing = offer.nodes.find((node) => isAsked(node));
      throw refusing === undefined
        ? noRoute(service, offer.nodes.length)
        : allDenied(service, refusing);
    }
    const counter = offer.picks;
    offer.picks = (offer.picks + 1) % Number.MAX_SAFE_INTEGER;
    return callOrder(able, routing, counter, (node) => this.#deps.roundTripMs(node));
  }

  #offerOf(service: string): Offer {
    const version = this.#deps.version();
    const known = this.#offers.get(service);
    if (known !== undefined && known.version === version) return known;
    const nodes = this.nodesOf(service);
    const admitting = nodes.filter((node) => this.#deps.mayExecute(node, service));
    const offer = { version, nodes, admitting, picks: known?.picks ?? 0 };
    this.#offers.delete(service);
    this.#offers.set(service, offer);
    for (const name of this.#offers.keys()) {
      if (this.#offers.size <= DISCOVERED_SERVICES_MAX) break;
      this.#offers.delete(name);
      this.#forgotten += 1;
    }
    return offer;
  }
}

function sorted(nodes: Iterable<bigint>): readonly bigint[] {
  return [...new Set(nodes)].sort((a, b) => a < b ? -1 : 1);
}

function noRoute(service: string, offering: number): RpcError {
  const why = offering === 0
    ? "no node offers it"
    : `none of the ${offering} nodes that offer it can be reached`;
  return new RpcError("no_route", `Cannot call ${service}: ${why}`, {
    next: "start a node that serves it, or wait until its announcement has come here",
  });
}

function allDenied(service: string, target: bigint): RpcError {
  return new RpcError(
    "capability_denied",
    `Cannot call ${service}: none of the nodes that offer it admits this one, ` +
      `${idToHex(target)} for example`,
    {
      target,
      capability: `nrpc:${service}`,
      next: "ask the owner of that node to admit this one",
    },
  );
}
