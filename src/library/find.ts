/** Who can do what, as programs ask for it. */
import { findNodes, type NodeFilter, readRequirements } from "../core/capability/mod.ts";
import type { Node } from "../node.ts";

/** What nodes must have; all of it. */
export interface NodeQuery extends Omit<NodeFilter, "requireTags"> {
  /** Tags, or requirements such as `hardware.memory_gb>=32`. */
  readonly required?: readonly string[];
  /** A predicate in its text form, such as `hardware.memory_gb>=32 && rack==7`. */
  readonly where?: string;
  /** Leaves nodes out that did not confirm lately what they announced; false when left out. */
  readonly isFresh?: boolean;
}

/** A requirement, several of them, or a whole query. */
export type NodeQueryInput = string | readonly string[] | NodeQuery;

/** A node that was found, and what it announced. */
export interface FoundNode {
  readonly id: bigint;
  /** It is the node that was asked. */
  readonly isSelf: boolean;
  /** There is a session with it. */
  readonly isConnected: boolean;
  readonly tags: readonly string[];
  readonly metadata: ReadonlyMap<string, string>;
}

const NO_METADATA: ReadonlyMap<string, string> = new Map();

/**
 * Nodes that satisfy a query, by id.
 *
 * @throws NetError `usage` for a requirement or predicate that can't be read.
 */
export function findIn(node: Node, input: NodeQueryInput): readonly FoundNode[] {
  const query = toQuery(input);
  const { required = [], where, isFresh = false, ...filter } = query;
  const requirements = readRequirements(required, where);
  const matches = findNodes(
    node.capabilities.index,
    { ...filter, requireTags: requirements.requireTags },
    { where: requirements.where, stale: isFresh ? "exclude" : "include" },
  );
  return matches.ids().map((id) => describe(node, id));
}

function toQuery(input: NodeQueryInput): NodeQuery {
  if (typeof input === "string") return { required: [input] };
  return isList(input) ? { required: input } : input;
}

function isList(input: readonly string[] | NodeQuery): input is readonly string[] {
  return Array.isArray(input);
}

function describe(node: Node, id: bigint): FoundNode {
  const { capabilities, mesh: { transport } } = node;
  const set = capabilities.get(id)?.capabilities;
  return {
    id,
    isSelf: id === capabilities.own.nodeId,
    isConnected: transport.peer(id)?.state === "connected",
    tags: set?.tags ?? [],
    metadata: set?.metadata ?? NO_METADATA,
  };
}
