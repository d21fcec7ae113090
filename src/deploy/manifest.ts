/** `manifest.lock`: which members a toolkit has and which of them belong together (`validation.md` 7.1). */
import { parseToml } from "../config/mod.ts";
import {
  given,
  momentAt,
  portAt,
  type Table,
  tableAt,
  tablesIn,
  textAt,
  type TextRule,
  textsAt,
} from "./_tables.ts";
import { isFileName, isMemberName } from "./names.ts";
import { isPlatformKey } from "./platform.ts";

/** What the manifest says of one member. */
export interface ManifestMember {
  /** The table it stands in: members proper, or validation programs that are deployed alike. */
  readonly section: "primals" | "springs";
  readonly version?: string;
  readonly domain?: string;
  readonly tier?: string;
  readonly defaultPort?: number;
  /** Platforms: `x86_64-linux`. */
  readonly builds?: readonly string[];
  /** Name of the executable when it is not the member's. */
  readonly binary?: string;
}

/** A whole manifest. */
export interface Manifest {
  readonly meta: {
    readonly generated?: string;
    readonly registryVersion?: string;
    readonly architectures?: readonly string[];
  };
  /** By name, in the order of the file. */
  readonly primals: ReadonlyMap<string, ManifestMember>;
  /** Members of each composition, in order; one that is there twice runs twice. */
  readonly compositions: ReadonlyMap<string, readonly string[]>;
}

/** Most members of a toolkit; the largest known has 20. */
export const MANIFEST_MEMBERS_MAX = 512;
/** Most compositions of a toolkit. */
export const COMPOSITIONS_MAX = 512;
/** Most members of one composition. */
export const COMPOSITION_MEMBERS_MAX = 128;

const WORD: TextRule = {
  lengthMax: 64,
  test: (text) => /^[A-Za-z0-9][A-Za-z0-9_.+-]*$/.test(text),
  must: "one word",
};
const PLATFORM: TextRule = {
  lengthMax: 64,
  test: isPlatformKey,
  must: "a platform such as x86_64-linux",
};

/**
 * Reads a `manifest.lock`.
 *
 * Members of a composition need not be in the manifest: who uses one says what is missing.
 *
 * @param name What the file is called, for errors.
 * @throws NetError `usage` naming `table.key`, or line and column of what is no TOML.
 */
export function parseManifest(text: string, name: string): Manifest {
  const top: Table = { file: name, path: "", values: parseToml(text, name) };
  const primals = new Map<string, ManifestMember>();
  for (const section of ["primals", "springs"] as const) {
    const tables = tablesIn(tableAt(top, section), MANIFEST_MEMBERS_MAX, isMemberName);
    for (const [member, table] of tables) {
      if (!primals.has(member)) primals.set(member, readMember(table, section));
    }
  }
  const compositions = new Map<string, readonly string[]>();
  const tables = tablesIn(tableAt(top, "compositions"), COMPOSITIONS_MAX, isMemberName);
  for (const [composition, table] of tables) {
    compositions.set(
      composition,
      textsAt(table, "primals", COMPOSITION_MEMBERS_MAX, {
        lengthMax: 64,
        test: isMemberName,
        must: "the name of a member: letters, digits, - or _",
      }) ?? [],
    );
  }
  return { meta: readMeta(tableAt(top, "meta")), primals, compositions };
}

function readMember(table: Table, section: ManifestMember["section"]): ManifestMember {
  return given({
    section,
    version: textAt(table, "version", WORD),
    domain: textAt(table, "domain", WORD),
    tier: textAt(table, "tier", WORD),
    defaultPort: portAt(table, "default_port"),
    builds: textsAt(table, "builds", 32, PLATFORM),
    binary: textAt(table, "binary", {
      lengthMax: 128,
      test: isFileName,
      must: "the name of one file, without folder",
    }),
  });
}

function readMeta(table: Table | undefined): Manifest["meta"] {
  if (table === undefined) return {};
  return given({
    generated: momentAt(table, "generated"),
    registryVersion: textAt(table, "registry_version", WORD),
    architectures: textsAt(table, "architectures", 32, PLATFORM),
  });
}
