/**
 * What changed from one set to another, for watching (`capabilities.md` 5). Nothing is applied here; that
 * is `diff_apply.ts`.
 *
 * The result has the members of the reference's, and is printed as it is.
 */
import { type CapabilitySet, compareUtf8 } from "../capability_set.ts";
import { meaningOfTag, meaningsOf } from "../tags/tag_equality.ts";

/** A change of one metadata entry. */
export type MetadataChange =
  | { readonly kind: "added"; readonly key: string; readonly value: string }
  | { readonly kind: "removed"; readonly key: string; readonly prev_value: string }
  | {
    readonly kind: "updated";
    readonly key: string;
    readonly prev_value: string;
    readonly new_value: string;
  };

/** Everything that changed. */
export interface CapabilitySetDiff {
  /** In order, as they are written in the newer set. */
  readonly added_tags: readonly string[];
  /** In order, as they were written in the older set. */
  readonly removed_tags: readonly string[];
  /** In the order of keys. */
  readonly metadata_changes: readonly MetadataChange[];
}

/**
 * Compares two sets; the separator of a tag does not count.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { diffCapabilities } from "./set_diff.ts";
 * const diff = diffCapabilities(createCapabilitySet(["a"]), createCapabilitySet(["a", "b"]));
 * console.assert(diff.added_tags.join() === "b" && diff.removed_tags.length === 0);
 * ```
 */
export function diffCapabilities(
  previous: CapabilitySet,
  current: CapabilitySet,
): CapabilitySetDiff {
  return {
    added_tags: tagsOnlyIn(current, previous),
    removed_tags: tagsOnlyIn(previous, current),
    metadata_changes: compareMetadata(previous.metadata, current.metadata),
  };
}

/** True when nothing changed. */
export function isUnchanged(diff: CapabilitySetDiff): boolean {
  return diff.added_tags.length === 0 && diff.removed_tags.length === 0 &&
    diff.metadata_changes.length === 0;
}

function tagsOnlyIn(set: CapabilitySet, other: CapabilitySet): readonly string[] {
  const known = meaningsOf(other);
  return set.tags.filter((tag) => !known.has(meaningOfTag(tag)));
}

function compareMetadata(
  previous: ReadonlyMap<string, string>,
  current: ReadonlyMap<string, string>,
): readonly MetadataChange[] {
  const changes: MetadataChange[] = [];
  for (const [key, value] of current) {
    const before = previous.get(key);
    if (before === undefined) changes.push({ kind: "added", key, value });
    else if (before !== value) {
      changes.push({ kind: "updated", key, prev_value: before, new_value: value });
    }
  }
  for (const [key, value] of previous) {
    if (!current.has(key)) changes.push({ kind: "removed", key, prev_value: value });
  }
  return changes.sort((left, right) => compareUtf8(left.key, right.key));
}
