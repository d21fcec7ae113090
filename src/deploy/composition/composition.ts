/**
 * Compositions: members that belong together (`validation.md` 6).
 *
 * Pure. A file names its members with what else is known of them; the built-in ones are below.
 */
import { NetError } from "../../base/mod.ts";
import { parseFamily } from "../../config/mod.ts";
import {
  flagAt,
  requiredTextAt,
  type Table,
  tablesOfList,
  textAt,
  type TextRule,
  textsAt,
} from "../_tables.ts";
import { COMPOSITION_MEMBERS_MAX } from "../manifest.ts";
import { parseAddress } from "../member_address.ts";
import { isMemberName, quote } from "../names.ts";

/** One member of a composition. */
export interface CompositionMember {
  /** Name in the composition, its own there, and what it is looked up by. */
  readonly name: string;
  /** Name in the toolkit: program and metadata. */
  readonly primal: string;
  /** Where it is, when the file says so. */
  readonly endpoint: string | undefined;
  /** What it must be able to do, beside what its metadata declares. */
  readonly capabilities: readonly string[];
  /** False when the others work without it. */
  readonly isRequired: boolean;
  /** Members that are started before, beside those of its metadata. */
  readonly after: readonly string[];
  /** Family it runs in; the caller's when left out. */
  readonly family: string | undefined;
}

/** Members that belong together. */
export interface Composition {
  readonly name: string;
  /** Where it was found. */
  readonly source: "builtin" | "toolkit" | "file";
  readonly members: readonly CompositionMember[];
}

/** Most capabilities of one member. */
const CAPABILITIES_MAX = 512;

const MEMBER: TextRule = {
  lengthMax: 64,
  test: isMemberName,
  must: "the name of a member: letters, digits, - or _",
};
const CAPABILITY: TextRule = {
  lengthMax: 128,
  test: (text) => /^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$/.test(text),
  must: "a capability such as storage.put",
};
const ENDPOINT: TextRule = {
  lengthMax: 4096,
  test: (text) =>
    parseAddress(text) !== undefined || /^[A-Za-z0-9.-]{1,253}:[0-9]{1,5}$/.test(text),
  must: "an endpoint: host:port, an absolute path, unix:PATH or @name",
};
const FAMILY: TextRule = {
  lengthMax: 32,
  test: (text) => parseFamily(text) !== undefined,
  must: "a family: letters, digits, - or _",
};

/** A member of which nothing but its name is known. */
export function plainMember(
  name: string,
  fields: Partial<CompositionMember> = {},
): CompositionMember {
  return {
    name,
    primal: name,
    endpoint: undefined,
    capabilities: [],
    isRequired: true,
    after: [],
    family: undefined,
    ...fields,
  };
}

/**
 * The compositions that need no toolkit. `tower` names what its members can do, so that any member
 * that can is one; the three nodes of `mesh` run in families of their own.
 */
export const BUILTIN_COMPOSITIONS: ReadonlyMap<string, readonly CompositionMember[]> = new Map([
  ["solo", [plainMember("net")]],
  [
    "mesh",
    ["1", "2", "3"].map((family) => plainMember(`net-${family}`, { primal: "net", family })),
  ],
  ["tower", [plainMember("security"), plainMember("discovery")]],
]);

/** Names that toolkits use, for the error when none is at hand. */
export const TOOLKIT_COMPOSITIONS: readonly string[] = [
  "compute",
  "node",
  "nest",
  "full",
  "storytelling",
  "provenance",
  "science",
];

/**
 * Reads what a file says: `{name, members: [{name, endpoint?, capabilities?, required?}]}`, also
 * `primal`, `after` and `family`.
 *
 * @param values The file's tables, from TOML or JSON.
 * @param file Its name, for errors.
 * @throws NetError `usage` naming what is wrong.
 */
export function parseComposition(
  values: Readonly<Record<string, unknown>>,
  file: string,
): Composition {
  const top: Table = { file, path: "", values };
  const name = requiredTextAt(top, "name", MEMBER);
  const members = tablesOfList(top, "members", COMPOSITION_MEMBERS_MAX).map(readMember);
  if (members.length === 0) {
    throw new NetError("usage", `${file}: members is empty`, {
      next: "name at least one member",
    });
  }
  return { name, source: "file", members: distinct(members, file) };
}

/**
 * A list of names, as a manifest has it; one that is there twice runs twice, as `N` and `N-2`.
 */
export function membersNamed(names: readonly string[]): readonly CompositionMember[] {
  const counts = new Map<string, number>();
  return names.map((primal) => {
    const count = (counts.get(primal) ?? 0) + 1;
    counts.set(primal, count);
    if (count === 1) return plainMember(primal);
    return plainMember(`${primal}-${count}`, { primal, family: String(count) });
  });
}

function readMember(table: Table): CompositionMember {
  const name = requiredTextAt(table, "name", MEMBER);
  return {
    name,
    primal: textAt(table, "primal", MEMBER) ?? name,
    endpoint: textAt(table, "endpoint", ENDPOINT),
    capabilities: textsAt(table, "capabilities", CAPABILITIES_MAX, CAPABILITY) ?? [],
    isRequired: flagAt(table, "required") ?? true,
    after: textsAt(table, "after", COMPOSITION_MEMBERS_MAX, MEMBER) ?? [],
    family: textAt(table, "family", FAMILY) || undefined,
  };
}

function distinct(
  members: readonly CompositionMember[],
  file: string,
): readonly CompositionMember[] {
  const names = new Set<string>();
  for (const { name } of members) {
    if (names.has(name)) {
      throw new NetError("usage", `${file}: member ${quote(name)} is there twice`, {
        next: "give each its own name; primal says which program it is",
      });
    }
    names.add(name);
  }
  return members;
}
