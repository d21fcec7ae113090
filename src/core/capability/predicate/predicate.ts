/**
 * Questions to a node's tags and metadata, as a tree (`capabilities.md` 9).
 *
 * The tree is plain data. What it means is `evaluate.ts`, how it travels `predicate_wire.ts`.
 */
import type { TagKey } from "../tags/tag.ts";

/** A question about one property; all but `exists` need a tag with a value. */
export type TagClause =
  | { readonly kind: "exists"; readonly key: TagKey }
  | { readonly kind: "equals"; readonly key: TagKey; readonly value: string }
  | {
    readonly kind: "numeric_at_least" | "numeric_at_most";
    readonly key: TagKey;
    readonly threshold: number;
  }
  | {
    readonly kind: "numeric_in_range";
    readonly key: TagKey;
    readonly min: number;
    readonly max: number;
  }
  | {
    readonly kind: "semver_at_least" | "semver_at_most" | "semver_compatible";
    readonly key: TagKey;
    readonly version: string;
  }
  | { readonly kind: "string_prefix"; readonly key: TagKey; readonly prefix: string }
  | { readonly kind: "string_matches"; readonly key: TagKey; readonly pattern: string };

/** A question about one metadata entry. */
export type MetadataClause =
  | { readonly kind: "metadata_exists"; readonly key: string }
  | { readonly kind: "metadata_equals"; readonly key: string; readonly value: string }
  | { readonly kind: "metadata_matches"; readonly key: string; readonly pattern: string }
  | {
    readonly kind: "metadata_numeric_at_least";
    readonly key: string;
    readonly threshold: number;
  };

/** A question, or several put together; an empty `and` is true, an empty `or` false. */
export type Predicate =
  | TagClause
  | MetadataClause
  | { readonly kind: "and" | "or"; readonly children: readonly Predicate[] }
  | { readonly kind: "not"; readonly child: Predicate };
