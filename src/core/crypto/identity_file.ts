/**
 * Identities in files: the node's `identity.key`, and named ones in the user's configuration folder.
 *
 * A file is one line: the seed as 64 hex digits while the generation is 0, which every release reads,
 * or the state of `identity_state.ts` as 74 digits. Whoever writes holds the data folder's lock, or is
 * the only one who makes the name.
 */
import { NetError } from "../../base/mod.ts";
import { identityNameOf } from "../../config/mod.ts";
import { IDENTITY_FORM, inFolder, readKeyFile } from "./_key_file.ts";
import { decodeIdentityState, IDENTITY_STATE_BYTES, type IdentityState } from "./identity_state.ts";
import { createOwnerFile, replaceOwnerFile } from "./owner_file.ts";
import { SEED_BYTES } from "./identity.ts";

/** Names listed at most; a person keeps a handful. */
const NAMES_MAX = 10_000;
const NEXT = "make the folder readable and writable for yourself";

/** What {@linkcode readIdentityFile} found; the state is secret. */
export interface IdentityFile {
  readonly state: IdentityState;
  /** What the operator should know, one sentence each, without secrets. */
  readonly warnings: readonly string[];
}

/**
 * The identity in a file, or `undefined` when there is none.
 *
 * @param path Absolute path.
 * @throws NetError `config_invalid` when the file is damaged, `data_dir_unusable` when it cannot be read.
 */
export async function readIdentityFile(path: string): Promise<IdentityFile | undefined> {
  const warnings: string[] = [];
  const state = await readKeyFile(path, IDENTITY_FORM, warnings);
  return state === undefined ? undefined : { state, warnings };
}

/**
 * The identity in a file.
 *
 * @throws NetError `not_found` when there is none; otherwise as {@linkcode readIdentityFile}.
 */
export async function requireIdentityFile(path: string): Promise<IdentityFile> {
  const found = await readIdentityFile(path);
  if (found !== undefined) return found;
  throw new NetError("not_found", `Cannot find identity: there is no "${path}"`, {
    next: "make it with net identity new, or list yours with net identity ls",
  });
}

/**
 * Creates an identity's file, for its owner only; false when there is one, which is left alone.
 *
 * @throws NetError `data_dir_unusable` or `no_space` when it cannot be written.
 */
export function createIdentityFile(path: string, state: IdentityState): Promise<boolean> {
  return write(path, () => createOwnerFile(path, IDENTITY_FORM.format(state)));
}

/** Puts an identity in the place of another, or of none, in one step; throws as the above. */
export function replaceIdentityFile(path: string, state: IdentityState): Promise<void> {
  return write(path, () => replaceOwnerFile(path, IDENTITY_FORM.format(state)));
}

/**
 * An identity as it was exported: the line of an identity's file, or the same bytes raw; `undefined` for
 * anything else.
 */
export function parseIdentityExport(content: Uint8Array): IdentityState | undefined {
  if (content.length === SEED_BYTES) return { seed: content.slice(), issuerGeneration: 0 };
  if (content.length === IDENTITY_STATE_BYTES) {
    const decoded = decodeIdentityState(content);
    return decoded.ok ? decoded.state : undefined;
  }
  return IDENTITY_FORM.parse(content);
}

/** Names of the identities in a folder, in order; none where there is no folder. */
export async function listNamedIdentities(folder: string): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(folder)) {
      const bare = isFile ? identityNameOf(name) : undefined;
      if (bare !== undefined) names.push(bare);
      if (names.length >= NAMES_MAX) break;
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    await inFolder(folder, "Cannot list identities", NEXT, () => Promise.reject(error));
  }
  return names.sort();
}

async function write<T>(path: string, run: () => Promise<T>): Promise<T> {
  const folder = path.slice(0, path.lastIndexOf("/"));
  return await inFolder(folder, "Cannot write identity", NEXT, async () => {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    return await run();
  });
}
