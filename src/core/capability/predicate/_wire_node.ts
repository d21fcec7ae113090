/**
 * One node of a predicate's JSON (`capabilities.md` 9). Where its children are is not looked at here.
 */
import { JsonReader } from "../_json_reader.ts";
import { isTagAxis, type TagKey } from "../tags/tag.ts";
import type { Predicate } from "./predicate.ts";

const U32_MAX = 0xffff_ffff;

/** A node as it was read: a clause, or a composition whose children are not looked up yet. */
export type WireNode =
  | { readonly clause: Predicate }
  | { readonly kind: "and" | "or" | "not"; readonly children: readonly number[] };

/** Reads a node; when it is none the reader has failed. */
export function readWireNode(reader: JsonReader): WireNode {
  const members = readMembers(reader);
  const node = createNode(members);
  if (node === undefined) reader.fail();
  return node ?? { kind: "and", children: [] };
}

/** The text of each member: which type it must have depends on a kind that may come last. */
function readMembers(reader: JsonReader): ReadonlyMap<string, string> {
  const members = new Map<string, string>();
  for (let name = reader.firstKey(); name !== undefined; name = reader.nextKey()) {
    if (members.has(name)) reader.fail();
    members.set(name, reader.raw());
  }
  return members;
}

type Members = ReadonlyMap<string, string>;

function createNode(members: Members): WireNode | undefined {
  const kind = textIn(members, "kind");
  switch (kind) {
    case "and":
    case "or": {
      const children = readIn(members, "children", readIndexes);
      return children && { kind, children };
    }
    case "not": {
      const child = readIn(members, "child", (reader) => reader.small(U32_MAX));
      return child === undefined ? undefined : { kind, children: [child] };
    }
    default: {
      const clause = kind?.startsWith("metadata_")
        ? createMetadataClause(kind, members)
        : createTagClause(kind, members);
      return clause && { clause };
    }
  }
}

function createTagClause(kind: string | undefined, members: Members): Predicate | undefined {
  const key = readIn(members, "key", readTagKey);
  if (key === undefined) return undefined;
  switch (kind) {
    case "exists":
      return { kind, key };
    case "equals": {
      const value = textIn(members, "value");
      return value === undefined ? undefined : { kind, key, value };
    }
    case "numeric_at_least":
    case "numeric_at_most": {
      const threshold = numberIn(members, "threshold");
      return threshold === undefined ? undefined : { kind, key, threshold };
    }
    case "numeric_in_range": {
      const [min, max] = [numberIn(members, "min"), numberIn(members, "max")];
      return min === undefined || max === undefined ? undefined : { kind, key, min, max };
    }
    case "semver_at_least":
    case "semver_at_most":
    case "semver_compatible": {
      const version = textIn(members, "version");
      return version === undefined ? undefined : { kind, key, version };
    }
    case "string_prefix": {
      const prefix = textIn(members, "prefix");
      return prefix === undefined ? undefined : { kind, key, prefix };
    }
    case "string_matches": {
      const pattern = textIn(members, "pattern");
      return pattern === undefined ? undefined : { kind, key, pattern };
    }
    default:
      return undefined;
  }
}

function createMetadataClause(kind: string, members: Members): Predicate | undefined {
  const key = textIn(members, "key");
  if (key === undefined) return undefined;
  switch (kind) {
    case "metadata_exists":
      return { kind, key };
    case "metadata_equals": {
      const value = textIn(members, "value");
      return value === undefined ? undefined : { kind, key, value };
    }
    case "metadata_matches": {
      const pattern = textIn(members, "pattern");
      return pattern === undefined ? undefined : { kind, key, pattern };
    }
    case "metadata_numeric_at_least": {
      const threshold = numberIn(members, "threshold");
      return threshold === undefined ? undefined : { kind, key, threshold };
    }
    default:
      return undefined;
  }
}

function readIn<T>(
  members: Members,
  name: string,
  read: (reader: JsonReader) => T,
): T | undefined {
  const text = members.get(name);
  if (text === undefined) return undefined;
  const reader = new JsonReader(text);
  const value = read(reader);
  return reader.hasFailed ? undefined : value;
}

function textIn(members: Members, name: string): string | undefined {
  return readIn(members, name, (reader) => reader.text());
}

function numberIn(members: Members, name: string): number | undefined {
  // What is JSON but no number is none here either: quotes and brackets are no digits.
  const value = Number(members.get(name) ?? "null");
  return Number.isFinite(value) ? value : undefined;
}

function readIndexes(reader: JsonReader): readonly number[] {
  const indexes: number[] = [];
  for (let isMore = reader.firstItem(); isMore; isMore = reader.nextItem()) {
    indexes.push(reader.small(U32_MAX));
  }
  return indexes;
}

function readTagKey(reader: JsonReader): TagKey {
  const members = readMembers(reader);
  const [axis, key] = [textIn(members, "axis"), textIn(members, "key")];
  if (axis !== undefined && isTagAxis(axis) && key !== undefined) return { axis, key };
  reader.fail();
  return { axis: "hardware", key: "" };
}
