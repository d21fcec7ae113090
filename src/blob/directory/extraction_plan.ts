/**
 * What a manifest of a directory makes of an empty folder, or why it is refused (`dataforts.md` 14).
 *
 * A manifest may be hostile: nothing it lists may be written outside the folder, now or through its links
 * later. The rules are purely lexical, so that they hold before the first file is written. Folders come
 * first, then files, then links: while files are written there is no link to follow.
 */
import { decodeBlobRef } from "../blob_ref.ts";
import { DIR_ENTRIES_MAX, DIR_IMPLIED_CHARACTERS_MAX, HASH_BYTES } from "../limits.ts";
import type { FetchableRef } from "../resolver.ts";
import { type DirEntry, runSteps } from "./dir_manifest.ts";
import { PlannedFiles } from "./planned_files.ts";
import { foldName, isSafeName, isTooLong, type PathPlatform, safeNames } from "./safe_path.ts";

/** A file to be fetched. */
export interface PlannedFile {
  /** Relative and clean; so are all paths of a plan. */
  readonly path: string;
  /** Permissions; `undefined` leaves those of new files. */
  readonly mode: number | undefined;
  /** Bytes, as the reference has it: of a Small they are not proven. */
  readonly size: number;
  /** The encoded reference, which is good; decoded ones take several times as much memory. */
  readonly blob: Uint8Array;
}

/** A link to be made. */
export interface PlannedLink {
  readonly path: string;
  readonly target: string;
}

/** What is to be done, in this order. */
export interface ExtractionPlan {
  /** Folders, every one behind its parent. */
  readonly dirs: readonly string[];
  readonly files: PlannedFiles;
  readonly links: readonly PlannedLink[];
  /** Files whose path an earlier entry has; the first one counts. */
  readonly repeatedFiles: readonly PlannedFile[];
  /** Links that cannot be made: something else has their path, or they have no target. */
  readonly skippedLinks: readonly PlannedLink[];
}

/** Why a manifest is refused. */
export type ExtractionFault =
  /** A path or a link leads out of the folder, or through a link. */
  | "unsafe_path"
  /** A file is where a folder must be, or two names are the same on this file system. */
  | "path_conflict"
  /** Its paths need more folders than a manifest may leave out. */
  | "too_large"
  /** The content of a file is no reference. */
  | "bad_reference"
  /** The content of a file is a tree, which manifests must not hold. */
  | "tree_unsupported";

/** What planning gives. */
export type PlannedExtraction =
  | { readonly ok: true; readonly plan: ExtractionPlan }
  | { readonly ok: false; readonly fault: ExtractionFault; readonly path: string };

/** Options of {@linkcode planExtraction}. */
export interface PlanExtractionOptions {
  readonly platform?: PathPlatform;
  /** True when the destination takes names for the same that differ in case or composition. */
  readonly foldsNames?: boolean;
}

/** Places in an encoded reference to one chunk (`dataforts.md` 2). */
const SMALL_VERSION_AT = 4;
const SMALL_HASH_AT = 5;

/** Characters of paths of one step: at most half as many names, with some 0.1 µs each. */
const STEP_CHARACTERS = 32 * 1024;
/** What an entry takes beside its path, in characters. */
const STEP_COST = 16;

/** What a planned file is made of. */
export function refOfPlannedFile({ blob }: PlannedFile): FetchableRef {
  const decoded = decodeBlobRef(blob);
  if (decoded.ok && decoded.ref.kind !== "tree") return decoded.ref;
  throw new TypeError("Cannot read reference: it is not that of a planned file");
}

/**
 * The hash of the only chunk of a planned file; `undefined` for one of several. Quicker than its reference: a plan has
 * good ones only.
 */
export function onlyChunkOf({ blob }: PlannedFile): Uint8Array | undefined {
  return blob[SMALL_VERSION_AT] === 1
    ? blob.subarray(SMALL_HASH_AT, SMALL_HASH_AT + HASH_BYTES)
    : undefined;
}

/** Permissions of a file: never the bits that change whose rights a program has. */
export function fileMode(mode: number): number | undefined {
  const permissions = mode & 0o777;
  return permissions === 0 ? undefined : permissions;
}

/**
 * Plans what a manifest's entries make of an empty folder.
 *
 * @example
 * ```ts
 * import { planExtraction } from "./extraction_plan.ts";
 * const planned = planExtraction([{ kind: "symlink", path: "a/b", target: "../../c" }]);
 * console.assert(!planned.ok && planned.fault === "unsafe_path");
 * ```
 */
export function planExtraction(
  entries: Iterable<DirEntry>,
  options: PlanExtractionOptions = {},
): PlannedExtraction {
  return runSteps(planExtractionSteps(entries, options));
}

/** The same for a million entries: a step takes a millisecond or so. */
export function* planExtractionSteps(
  entries: Iterable<DirEntry>,
  options: PlanExtractionOptions = {},
): Generator<void, PlannedExtraction, void> {
  const { platform = "unix", foldsNames = false } = options;
  const planner = new Planner(foldsNames);
  const links: PlannedLink[] = [];
  let characters = 0;
  for (const entry of entries) {
    characters += STEP_COST + entry.path.length;
    if (characters > STEP_CHARACTERS) {
      characters = 0;
      yield;
    }
    const names = safeNames(entry.path, platform);
    if (names === undefined) return refuse("unsafe_path", entry.path);
    if (entry.kind === "symlink") links.push({ path: names.join("/"), target: entry.target });
    else if (entry.kind === "dir") planner.addDir(names);
    else {
      const decoded = decodeBlobRef(entry.blob);
      if (!decoded.ok) return refuse("bad_reference", entry.path);
      const { ref } = decoded;
      if (ref.kind === "tree") return refuse("tree_unsupported", entry.path);
      const { blob, mode } = entry;
      planner.addFile(names, {
        path: names.join("/"),
        mode: fileMode(mode),
        size: ref.size,
        blob,
      });
    }
    if (planner.isTooLarge) return refuse("too_large", entry.path);
  }
  const nodes = yield* linkNodes(links);
  if (nodes === undefined) return refuse("too_large", "");
  for (const link of links) {
    characters += STEP_COST + link.path.length + link.target.length;
    if (characters > STEP_CHARACTERS) {
      characters = 0;
      yield;
    }
    if (isUnsafeLink(link, nodes, platform)) return refuse("unsafe_path", link.path);
  }
  if (planner.conflict !== undefined) return refuse("path_conflict", planner.conflict);
  for (const link of links) {
    characters += STEP_COST + link.path.length;
    if (characters > STEP_CHARACTERS) {
      characters = 0;
      yield;
    }
    planner.addLink(link);
    if (planner.isTooLarge) return refuse("too_large", link.path);
  }
  return { ok: true, plan: planner.plan };
}

/** Those of a folder's links that make {@linkcode planExtraction} refuse it; all when there are too many. */
export function findUnsafeLinks(links: readonly PlannedLink[]): readonly PlannedLink[] {
  const nodes = runSteps(linkNodes(links));
  return nodes === undefined ? links : links.filter((link) => isUnsafeLink(link, nodes, "unix"));
}

/** True for a link that leads out, or through another link; names are compared as the most lenient system does. */
function isUnsafeLink(
  { path, target }: PlannedLink,
  root: LinkNode,
  platform: PathPlatform,
): boolean {
  const parent: (LinkNode | undefined)[] = [root];
  for (const name of path.split("/").slice(0, -1)) parent.push(step(parent, name));
  return parent.some((node) => node?.isLink) || !staysInside(parent, target, platform);
}

/** Links by folded names; what is on no way to a link has no node. */
interface LinkNode {
  isLink: boolean;
  readonly below: Map<string, LinkNode>;
}

/** The nodes of all links; `undefined` when there are more than a manifest has entries. */
function* linkNodes(
  links: readonly PlannedLink[],
): Generator<void, LinkNode | undefined, void> {
  const root: LinkNode = { isLink: false, below: new Map() };
  let [count, characters] = [0, 0];
  for (const { path } of links) {
    characters += STEP_COST + path.length;
    if (characters > STEP_CHARACTERS) {
      characters = 0;
      yield;
    }
    let node = root;
    for (const name of path.split("/").map(foldName)) {
      let next = node.below.get(name);
      if (next === undefined) {
        if (++count > DIR_ENTRIES_MAX) return undefined;
        next = { isLink: false, below: new Map() };
        node.below.set(name, next);
      }
      node = next;
    }
    node.isLink = true;
  }
  return root;
}

function step(at: readonly (LinkNode | undefined)[], name: string): LinkNode | undefined {
  return at.at(-1)?.below.get(foldName(name));
}

/**
 * Follows a target from the folder of its link; landing exactly on the root is fine.
 *
 * @param at The nodes from the root to that folder; changed on the way.
 */
function staysInside(
  at: (LinkNode | undefined)[],
  target: string,
  platform: PathPlatform,
): boolean {
  if (target.startsWith("/") || target.includes("\0") || isTooLong(target)) return false;
  const parts = target.split("/").filter((part) => part !== "" && part !== ".");
  for (const [i, part] of parts.entries()) {
    if (part === "..") {
      at.pop();
      if (at.length === 0) return false;
      continue;
    }
    if (platform === "windows" && !isSafeName(part, platform)) return false;
    at.push(step(at, part));
    // What the last part leads to was checked as a link of its own.
    if (i < parts.length - 1 && at.at(-1)?.isLink) return false;
  }
  return true;
}

/** Gathers a plan and finds paths that exclude each other. */
class Planner {
  readonly #dirs: string[] = [];
  readonly #files = new PlannedFiles();
  readonly #links: PlannedLink[] = [];
  readonly #repeatedFiles: PlannedFile[] = [];
  readonly #skippedLinks: PlannedLink[] = [];
  /** What is at a path. */
  readonly #taken = new Map<string, DirEntry["kind"]>();
  /** How a path was first spelled, where its name here is another. */
  readonly #spelled = new Map<string, string>();
  readonly #keyOf: (path: string) => string;
  /** The first path that excludes another. */
  conflict: string | undefined;
  #impliedCharacters = 0;

  constructor(foldsNames: boolean) {
    this.#keyOf = foldsNames ? (path) => foldPath(path.split("/")) : (path) => path;
  }

  /** True when the paths need more folders than a manifest may leave out. */
  get isTooLarge(): boolean {
    return this.#impliedCharacters > DIR_IMPLIED_CHARACTERS_MAX;
  }

  get plan(): ExtractionPlan {
    return {
      dirs: this.#dirs,
      files: this.#files,
      links: this.#links,
      repeatedFiles: this.#repeatedFiles,
      skippedLinks: this.#skippedLinks,
    };
  }

  addDir(names: readonly string[]): void {
    if (!this.#makeDir(names, true)) this.conflict ??= names.join("/");
  }

  addFile(names: readonly string[], file: PlannedFile): void {
    const { path } = file;
    const key = this.#keyOf(path);
    const taken = this.#taken.get(key);
    if (taken === "file" && this.#isSpelled(key, path)) {
      this.#repeatedFiles.push(file);
    } else if (taken === undefined && this.#makeDir(names.slice(0, -1), false)) {
      this.#take(key, path, "file");
      this.#files.add(file);
    } else this.conflict ??= path;
  }

  /** Links give way to everything: none is an error, because the reference makes what it can. */
  addLink({ path, target }: PlannedLink): void {
    const isFree = target !== "" && !this.#taken.has(this.#keyOf(path)) &&
      this.#makeDir(path.split("/").slice(0, -1), false);
    if (!isFree) {
      this.#skippedLinks.push({ path, target });
      return;
    }
    this.#take(this.#keyOf(path), path, "symlink");
    this.#links.push({ path, target });
  }

  #take(key: string, path: string, kind: DirEntry["kind"]): void {
    this.#taken.set(key, kind);
    if (key !== path) this.#spelled.set(key, path);
  }

  #isSpelled(key: string, path: string): boolean {
    return (this.#spelled.get(key) ?? key) === path;
  }

  /** Takes the path and all above it for folders; false, and nothing taken, when one is something else. */
  #makeDir(names: readonly string[], isListed: boolean): boolean {
    const missing: string[] = [];
    // Most often the parent is there already, and all above it.
    for (let length = names.length; length > 0; length--) {
      const path = names.slice(0, length).join("/");
      const key = this.#keyOf(path);
      const taken = this.#taken.get(key);
      if (taken !== undefined) {
        if (taken !== "dir" || !this.#isSpelled(key, path)) return false;
        break;
      }
      missing.push(path);
      if (!isListed || length < names.length) this.#impliedCharacters += path.length;
      if (this.isTooLarge) return true;
    }
    for (const path of missing.reverse()) {
      this.#take(this.#keyOf(path), path, "dir");
      this.#dirs.push(path);
    }
    return true;
  }
}

function foldPath(names: readonly string[]): string {
  return names.map(foldName).join("/");
}

function refuse(fault: ExtractionFault, path: string): PlannedExtraction {
  return { ok: false, fault, path };
}
