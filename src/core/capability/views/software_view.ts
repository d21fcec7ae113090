/**
 * What runs on a node, read from and written to tags `software.…` (`capabilities.md` 3). Models and tools
 * share the axis but are `model_view.ts` and `tool_view.ts`.
 */
import type { CapabilitySet } from "../capability_set.ts";
import { readProperties } from "../tags/axis_tags.ts";
import { cachedPerSet } from "./_cached_view.ts";
import { TagWriter } from "./_view_text.ts";

/** The software of a node; empty means not told. */
export interface SoftwareView {
  readonly os: string;
  readonly osVersion: string;
  readonly cudaVersion: string;
  /** Name to version, in the order of names; the same below. */
  readonly runtimes: ReadonlyMap<string, string>;
  readonly frameworks: ReadonlyMap<string, string>;
  readonly drivers: ReadonlyMap<string, string>;
}

/** Software to write; what is left out is not written. */
export interface SoftwareInput {
  readonly os?: string;
  readonly osVersion?: string;
  readonly cudaVersion?: string;
  readonly runtimes?: Iterable<readonly [string, string]>;
  readonly frameworks?: Iterable<readonly [string, string]>;
  readonly drivers?: Iterable<readonly [string, string]>;
}

const UNWRITABLE_NAME = /[=:.]|^$/;

/**
 * The software that a set tells of; read once per set.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { readSoftwareView } from "./software_view.ts";
 * const set = createCapabilitySet(["software.os=linux", "software.runtime.deno=2.9"]);
 * console.assert(readSoftwareView(set).runtimes.get("deno") === "2.9");
 * ```
 */
export const readSoftwareView: (set: CapabilitySet) => SoftwareView = cachedPerSet(
  decodeSoftwareView,
);

/** {@linkcode readSoftwareView} for those who ask once and keep what they need. */
export function decodeSoftwareView({ tags }: CapabilitySet): SoftwareView {
  const texts = { os: "", osVersion: "", cudaVersion: "" };
  readProperties(tags, "software.os", (rest, value = "") => {
    if (rest === "") texts.os = value;
    else if (rest === "_version") texts.osVersion = value;
  });
  readProperties(tags, "software.cuda_version", (rest, value = "") => {
    if (rest === "") texts.cudaVersion = value;
  });
  return {
    ...texts,
    runtimes: readVersions(tags, "software.runtime."),
    frameworks: readVersions(tags, "software.framework."),
    drivers: readVersions(tags, "software.driver."),
  };
}

/**
 * The tags of some software, in no order. As in the reference, entries without a version are left out,
 * and so are names that are empty or hold one of `=`, `:` and `.`, which would not read back.
 */
export function softwareTags(software: SoftwareInput): readonly string[] {
  const writer = new TagWriter("software")
    .text("os", software.os)
    .text("os_version", software.osVersion)
    .text("cuda_version", software.cudaVersion);
  writeVersions(writer, "runtime", software.runtimes);
  writeVersions(writer, "framework", software.frameworks);
  writeVersions(writer, "driver", software.drivers);
  return writer.tags;
}

/** True for the keys of the axis that {@linkcode softwareTags} writes. */
export function isSoftwareKey(key: string): boolean {
  return key === "os" || key === "os_version" || key === "cuda_version" ||
    /^(?:runtime|framework|driver)\../.test(key);
}

function readVersions(tags: readonly string[], prefix: string): ReadonlyMap<string, string> {
  const versions = new Map<string, string>();
  readProperties(tags, prefix, (name, version = "") => {
    if (name !== "") versions.set(name, version);
  });
  return versions;
}

function writeVersions(
  writer: TagWriter,
  kind: string,
  versions: Iterable<readonly [string, string]> = [],
): void {
  for (const [name, version] of new Map(versions)) {
    if (!UNWRITABLE_NAME.test(name)) writer.text(`${kind}.${name}`, version);
  }
}
