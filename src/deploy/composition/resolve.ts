/**
 * Which composition a word means: a file, the folder of a toolkit, a name in a toolkit's manifest, or
 * one that is built in (`validation.md` 6).
 */
import { isMissing, NetError } from "../../base/mod.ts";
import { absolutePath, parseToml, TOML_LENGTH_MAX } from "../../config/mod.ts";
import { isMemberName, quote, requireMemberName } from "../names.ts";
import type { Manifest } from "../manifest.ts";
import { readManifest, readTextWithin } from "../toolkit.ts";
import {
  BUILTIN_COMPOSITIONS,
  type Composition,
  membersNamed,
  parseComposition,
  TOOLKIT_COMPOSITIONS,
} from "./composition.ts";

/** What {@linkcode resolveComposition} looks at. */
export interface ResolveCompositionOptions {
  readonly cwd: string;
  /** Folder of the toolkit; it need not exist. */
  readonly toolkit: string | undefined;
}

/** A composition with the toolkit its members come from. */
export interface ResolvedComposition {
  readonly composition: Composition;
  readonly toolkit: string | undefined;
}

/**
 * Finds a composition.
 *
 * @param text A name, the path of a `.toml` or `.json` file, or of a toolkit's folder.
 * @throws NetError `usage` when there is none, or the file cannot be understood.
 */
export async function resolveComposition(
  text: string,
  { cwd, toolkit }: ResolveCompositionOptions,
): Promise<ResolvedComposition> {
  if (text.includes("/") || text === "." || text === ".." || /\.(toml|json)$/.test(text)) {
    const path = absolutePath(text, cwd);
    if (await isFolder(path)) return { composition: await ofFolder(path), toolkit: path };
    return { composition: await ofFile(path), toolkit };
  }
  requireMemberName(text, "composition");
  const manifest = toolkit === undefined ? undefined : await readManifest(toolkit);
  const names = manifest?.compositions.get(text);
  if (names !== undefined) {
    if (names.length === 0) throw empty(text);
    return {
      composition: { name: text, source: "toolkit", members: membersNamed(names) },
      toolkit,
    };
  }
  const members = BUILTIN_COMPOSITIONS.get(text);
  if (members !== undefined) {
    return { composition: { name: text, source: "builtin", members }, toolkit };
  }
  throw unknown(text, manifest);
}

/** Every member of a toolkit. */
async function ofFolder(path: string): Promise<Composition> {
  const manifest = await readManifest(path);
  if (manifest === undefined) {
    throw new NetError("usage", `Cannot use folder ${quote(path)}: it has no manifest.lock`, {
      next: "name the folder of a toolkit, a composition's file, or a name",
    });
  }
  const base = path.slice(path.lastIndexOf("/") + 1);
  const names = [...manifest.primals.keys()];
  if (names.length === 0) throw empty(path);
  return {
    name: isMemberName(base) ? base : "toolkit",
    source: "toolkit",
    members: membersNamed(names),
  };
}

async function ofFile(path: string): Promise<Composition> {
  const text = await readTextWithin(path, TOML_LENGTH_MAX);
  if (text === undefined) {
    throw new NetError("usage", `Cannot find composition ${quote(path)}: there is no such file`, {
      next: "name a .toml or .json file, or a composition such as solo",
    });
  }
  return readComposition(text, path);
}

/**
 * The composition that a file's text describes, in TOML or JSON.
 *
 * @param path What the file is called, for errors.
 * @throws NetError `usage` naming what is wrong.
 */
export function readComposition(text: string, path: string): Composition {
  const isJson = path.endsWith(".json") || text.trimStart().startsWith("{");
  return parseComposition(isJson ? parseJson(text, path) : parseToml(text, path), path);
}

function parseJson(text: string, path: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new NetError("usage", `${path} is not valid JSON`, { cause: error, next: "mend it" });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new NetError("usage", `${path} holds no JSON object`, { next: "mend it" });
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function empty(text: string): NetError {
  return new NetError("usage", `Cannot use composition ${quote(text)}: it has no members`, {
    next: "mend manifest.lock",
  });
}

function unknown(text: string, manifest: Manifest | undefined): NetError {
  const known = [...manifest?.compositions.keys() ?? [], ...BUILTIN_COMPOSITIONS.keys()];
  const shown = [...new Set(known)].slice(0, 32).join(", ");
  return new NetError("usage", `Cannot find composition ${quote(text)}`, {
    next: TOOLKIT_COMPOSITIONS.includes(text)
      ? `its members are in a toolkit's manifest.lock: name that folder with --toolkit DIR`
      : `choose one of ${shown}, or name a file`,
  });
}
