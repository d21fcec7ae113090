/**
 * `composition.<name>_health`: how a composition is, as this node sees it (`validation.md` 6).
 *
 * A node knows itself and its peers, so it serves the two compositions that are made of nodes: `solo`
 * and `mesh`. What members of other programs need of each other is probed from outside, by
 * `net validate composition`.
 */
import * as v from "../../schema/mod.ts";
import type { Node } from "../../node.ts";
import { defineMethod, type Method } from "../method.ts";

/** Nodes of a mesh, this one among them. */
const MESH_NODES = 3;

/** Peers that are told of one by one. */
const PEERS_MAX = 64;

type SubsystemState = "ok" | "degraded" | "unavailable";

/** What the methods read of a node. */
export interface CompositionNode {
  readonly health: {
    snapshot(): Pick<ReturnType<Node["health"]["snapshot"]>, "status" | "isReady">;
  };
  peers(): readonly { readonly node_id: string; readonly state: string }[];
}

/** The methods; they answer from memory. */
export function compositionMethods(node: CompositionNode): readonly Method[] {
  return [
    healthMethod("solo", "Whether this node alone is well", () => ({ net: ownState(node) })),
    healthMethod(
      "mesh",
      "Whether this node and at least two peers are well",
      () => meshStates(node),
    ),
  ];
}

function healthMethod(
  name: string,
  summary: string,
  states: () => Readonly<Record<string, SubsystemState>>,
): Method {
  return defineMethod({
    name: `composition.${name}_health`,
    access: "privileged",
    summary,
    isReadOnly: true,
    answersWhileDraining: true,
    params: v.object({}),
    handle: () => {
      const subsystems = states();
      const needed = name === "mesh" ? MESH_NODES : 1;
      const well = Object.values(subsystems).filter((state) => state === "ok").length;
      return {
        deploy_graph: name,
        healthy: subsystems.net === "ok" && well >= needed,
        subsystems,
        unsatisfied: [],
      };
    },
  });
}

function ownState({ health }: CompositionNode): SubsystemState {
  const { status, isReady } = health.snapshot();
  if (status === "unhealthy") return "unavailable";
  return status === "healthy" && isReady ? "ok" : "degraded";
}

/** By the failure detector's word. */
function peerState(state: string): SubsystemState {
  if (state === "connected") return "ok";
  return state === "suspected" || state === "connecting" ? "degraded" : "unavailable";
}

/** This node, its peers, and a place for each that a mesh still lacks. */
function meshStates(node: CompositionNode): Readonly<Record<string, SubsystemState>> {
  const peers = node.peers().map(({ node_id, state }) =>
    [`net-${node_id}`, peerState(state)] as const
  );
  // Those that are well come first, so that the bound never hides them.
  const shown = [...peers].sort(([, a], [, b]) => a === b ? 0 : a === "ok" ? -1 : 1)
    .slice(0, PEERS_MAX);
  const missing = Array.from(
    { length: Math.max(0, MESH_NODES - 1 - peers.length) },
    (_, index) => [`net-missing-${index + 1}`, "unavailable"] as const,
  );
  return { net: ownState(node), ...Object.fromEntries([...shown, ...missing]) };
}
