/**
 * Predicates as JSON: a list of nodes in which children precede their parents, and the place of the
 * root (`capabilities.md` 9).
 *
 * As a header of a call they travel by `rpc_header.ts`.
 */
import { NetError, utf8 } from "../../../base/mod.ts";
import { JsonReader } from "../_json_reader.ts";
import { readWireNode, type WireNode } from "./_wire_node.ts";
import { PREDICATE_BYTES_MAX, PREDICATE_DEPTH_MAX, PREDICATE_NODES_MAX } from "./limits.ts";
import { formatJsonNumber } from "./number_text.ts";
import type { Predicate } from "./predicate.ts";

/** Why bytes are no predicate. */
export type PredicateFault =
  | "too_long"
  | "malformed"
  | "empty"
  | "root_out_of_bounds"
  | "child_out_of_bounds"
  /** A child does not precede its parent. */
  | "cycle_detected"
  | "too_large"
  | "too_deep";

/** What {@linkcode decodePredicate} found. */
export type DecodedPredicate =
  | { readonly ok: true; readonly predicate: Predicate }
  | { readonly ok: false; readonly fault: PredicateFault };

const U32_MAX = 0xffff_ffff;
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The JSON of a predicate, byte for byte as the reference writes it.
 *
 * @throws NetError `limit` when receivers would refuse it for its size or depth.
 * @throws RangeError when a number is not finite or a text holds half a surrogate pair.
 *
 * @example
 * ```ts
 * import { encodePredicate } from "./predicate_wire.ts";
 * const bytes = encodePredicate({ kind: "metadata_exists", key: "intent" });
 * const text = '{"nodes":[{"kind":"metadata_exists","key":"intent"}],"root_idx":0}';
 * console.assert(new TextDecoder().decode(bytes) === text);
 * ```
 */
export function encodePredicate(predicate: Predicate): Uint8Array<ArrayBuffer> {
  const nodes: string[] = [];
  const root = appendNode(predicate, nodes, 1);
  const bytes = utf8(`{"nodes":[${nodes.join(",")}],"root_idx":${root}}`);
  return bytes.length <= PREDICATE_BYTES_MAX
    ? bytes
    : refuse("length in bytes", bytes.length, PREDICATE_BYTES_MAX);
}

/**
 * Reads a predicate; never throws.
 *
 * As the reference: members in any order, unknown ones vanish, a known one twice is a fault.
 */
export function decodePredicate(bytes: Uint8Array): DecodedPredicate {
  if (bytes.length > PREDICATE_BYTES_MAX) return { ok: false, fault: "too_long" };
  let text: string;
  try {
    text = DECODER.decode(bytes);
  } catch {
    return { ok: false, fault: "malformed" };
  }
  const reader = new JsonReader(text);
  const { nodes, rootIndex } = readTable(reader);
  reader.end();
  if (reader.hasFailed || nodes === undefined || rootIndex === undefined) {
    return { ok: false, fault: "malformed" };
  }
  return buildTree(nodes, rootIndex);
}

function appendNode(predicate: Predicate, nodes: string[], depth: number): number {
  if (depth > PREDICATE_DEPTH_MAX) refuse("depth", depth, PREDICATE_DEPTH_MAX);
  const body = formatBody(predicate, (child) => appendNode(child, nodes, depth + 1));
  const index = nodes.push(`{"kind":"${predicate.kind}",${body}}`) - 1;
  if (nodes.length > PREDICATE_NODES_MAX) {
    refuse("number of nodes", nodes.length, PREDICATE_NODES_MAX);
  }
  return index;
}

function formatBody(predicate: Predicate, append: (child: Predicate) => number): string {
  switch (predicate.kind) {
    case "and":
    case "or":
      return `"children":[${predicate.children.map(append).join(",")}]`;
    case "not":
      return `"child":${append(predicate.child)}`;
    default: {
      const { kind: _, key, ...constants } = predicate;
      const subject = typeof key === "string"
        ? formatText(key)
        : `{"axis":"${key.axis}","key":${formatText(key.key)}}`;
      return `"key":${subject}${formatConstants(constants)}`;
    }
  }
}

interface Constants {
  readonly value?: string;
  readonly threshold?: number;
  readonly min?: number;
  readonly max?: number;
  readonly version?: string;
  readonly prefix?: string;
  readonly pattern?: string;
}

const CONSTANTS = ["value", "threshold", "min", "max", "version", "prefix", "pattern"] as const;

function formatConstants(constants: Constants): string {
  let text = "";
  for (const name of CONSTANTS) {
    const value = constants[name];
    if (value === undefined) continue;
    text += `,"${name}":${typeof value === "number" ? formatJsonNumber(value) : formatText(value)}`;
  }
  return text;
}

function formatText(text: string): string {
  if (text.isWellFormed()) return JSON.stringify(text);
  throw new RangeError(`Cannot use text ${JSON.stringify(text)}: it is not valid Unicode`);
}

function refuse(what: string, actual: number, max: number): never {
  throw new NetError(
    "limit",
    `Cannot encode predicate: ${what} is ${actual}, must be at most ${max}`,
    { next: "ask for less at once" },
  );
}

function readTable(reader: JsonReader): { nodes?: WireNode[]; rootIndex?: number } {
  let nodes: WireNode[] | undefined;
  let rootIndex: number | undefined;
  for (let name = reader.firstKey(); name !== undefined; name = reader.nextKey()) {
    if (name === "nodes" && nodes === undefined) {
      nodes = [];
      for (let isMore = reader.firstItem(); isMore; isMore = reader.nextItem()) {
        nodes.push(readWireNode(reader));
      }
    } else if (name === "root_idx" && rootIndex === undefined) rootIndex = reader.small(U32_MAX);
    else if (name === "nodes" || name === "root_idx") reader.fail();
    else reader.raw();
  }
  return { nodes, rootIndex };
}

/** Puts the nodes together; each in its turn, because children precede their parents. */
function buildTree(nodes: readonly WireNode[], rootIndex: number): DecodedPredicate {
  if (nodes.length === 0) return { ok: false, fault: "empty" };
  if (rootIndex >= nodes.length) return { ok: false, fault: "root_out_of_bounds" };
  const trees: { readonly predicate: Predicate; readonly size: number; readonly depth: number }[] =
    [];
  for (const node of nodes) {
    if ("clause" in node) {
      trees.push({ predicate: node.clause, size: 1, depth: 1 });
      continue;
    }
    const children: Predicate[] = [];
    let size = 1;
    let depth = 1;
    for (const childIndex of node.children) {
      const child = trees[childIndex];
      if (child === undefined) {
        const fault = childIndex < nodes.length ? "cycle_detected" : "child_out_of_bounds";
        return { ok: false, fault };
      }
      children.push(child.predicate);
      size += child.size;
      depth = Math.max(depth, child.depth + 1);
    }
    if (size > PREDICATE_NODES_MAX) return { ok: false, fault: "too_large" };
    if (depth > PREDICATE_DEPTH_MAX) return { ok: false, fault: "too_deep" };
    trees.push({ predicate: compose(node.kind, children), size, depth });
  }
  const root = trees[rootIndex];
  return root === undefined
    ? { ok: false, fault: "root_out_of_bounds" }
    : { ok: true, predicate: root.predicate };
}

function compose(kind: "and" | "or" | "not", children: readonly Predicate[]): Predicate {
  const [first] = children;
  return kind === "not" && first !== undefined
    ? { kind, child: first }
    : { kind: kind === "or" ? "or" : "and", children };
}
