/** Which nodes a finder gets to see, by the scope tags they announce (`capabilities.md` 8). */
import { allOf, anyOf, type Condition, inColumn, inPostings, noneOf } from "./conditions.ts";
import type { IndexTables } from "./index_tables.ts";
import type { Posting } from "./posting.ts";

/** What a finder looks for. */
export type NodeScope =
  /** All but nodes that only their subnet may find. */
  | { readonly kind: "any" }
  /** Nodes with neither tenant nor region. */
  | { readonly kind: "global_only" }
  /** Nodes of the finder's subnet; who is in it is not known here. */
  | { readonly kind: "same_subnet"; readonly isSameSubnet: (nodeId: bigint) => boolean }
  /** Nodes of one of them, and global ones. */
  | { readonly kind: "tenants" | "regions"; readonly names: readonly string[] };

const SUBNET_LOCAL = "scope:subnet-local";
const STEMS = { tenants: "scope:tenant:", regions: "scope:region:" } as const;

/** Satisfied by the nodes of a scope. */
export function inScope(scope: NodeScope, tables: IndexTables): Condition {
  const { table, dictionary } = tables;
  if (scope.kind === "same_subnet") {
    const { isSameSubnet } = scope;
    return inColumn(tables.all, (slot) => isSameSubnet(table.nodeIds[slot] ?? 0n));
  }
  const hidden = present([dictionary.tag(SUBNET_LOCAL)]);
  if (scope.kind === "any") return without(hidden, tables);
  const { tenants, regions } = STEMS;
  const scoped = present([tenants, regions].map((stem) => dictionary.stemGroup(stem)?.rows));
  if (scope.kind === "global_only") return without([...hidden, ...scoped], tables);
  const stem = STEMS[scope.kind];
  const names = scope.names.filter((name) => name !== "");
  const named = present(names.map((name) => dictionary.tag(stem + name)));
  const admitted = anyOf([inPostings(named, tables), without(scoped, tables)], tables);
  return allOf([admitted, without(hidden, tables)], tables);
}

function without(postings: readonly Posting[], tables: IndexTables): Condition {
  return postings.length === 0 ? allOf([], tables) : noneOf(inPostings(postings, tables), tables);
}

function present(postings: readonly (Posting | undefined)[]): readonly Posting[] {
  return postings.filter((posting) => posting !== undefined);
}
