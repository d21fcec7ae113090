/**
 * What happens to an identity's file over its life: it is brought in from elsewhere, and its generation
 * is raised (`identity-and-channels.md` 5).
 *
 * The generation of a key never falls here: tokens of a lower one may be taken back already. The caller
 * holds the data folder's lock where the file lies in one.
 */
import { equalBytes, NetError } from "../../base/mod.ts";
import { ISSUER_GENERATION_MAX } from "./identity.ts";
import { createIdentityFile, readIdentityFile, replaceIdentityFile } from "./identity_file.ts";
import type { IdentityState } from "./identity_state.ts";

/** What {@linkcode importIdentity} did. */
export type IdentityImport = "created" | "unchanged" | "raised" | "replaced";

/** Options of {@linkcode importIdentity}. */
export interface ImportIdentityOptions {
  /** True to put it in the place of another identity, whose key is gone then. */
  readonly isForced: boolean;
}

/**
 * Puts an identity into a file. The same key again keeps the higher generation.
 *
 * @throws NetError `conflict` when another identity is there and it is not forced.
 */
export async function importIdentity(
  path: string,
  state: IdentityState,
  options: ImportIdentityOptions,
): Promise<IdentityImport> {
  if (await createIdentityFile(path, state)) return "created";
  const present = (await readIdentityFile(path))?.state;
  const isSame = present !== undefined && equalBytes(present.seed, state.seed);
  if (isSame && state.issuerGeneration <= present.issuerGeneration) return "unchanged";
  if (!isSame && !options.isForced) {
    throw new NetError(
      "conflict",
      `Cannot import identity: "${path}" holds another one, must be absent`,
      { next: "export that one first, then repeat with --force, which replaces it for good" },
    );
  }
  await replaceIdentityFile(path, state);
  return isSame ? "raised" : "replaced";
}

/** What {@linkcode raiseIssuerGeneration} did; the state is secret. */
export interface RaisedGeneration {
  readonly before: number;
  readonly state: IdentityState;
}

/**
 * Raises the generation in an identity's file, by one or to a given one.
 *
 * @throws NetError `not_found` when there is no file, `usage` when the generation would not rise, `limit`
 * when there is none above.
 */
export async function raiseIssuerGeneration(
  path: string,
  target?: number,
): Promise<RaisedGeneration> {
  const present = (await readIdentityFile(path))?.state;
  if (present === undefined) {
    throw new NetError("not_found", `Cannot rotate identity: there is none in "${path}"`, {
      next: "make one with net identity new",
    });
  }
  const before = present.issuerGeneration;
  if (before >= ISSUER_GENERATION_MAX) {
    throw new NetError("limit", `Cannot rotate identity: generation is ${before}, the last one`, {
      next: "make a new identity with net identity new",
    });
  }
  const issuerGeneration = target ?? before + 1;
  if (issuerGeneration <= before) {
    throw new NetError(
      "usage",
      `Cannot rotate identity: generation is ${issuerGeneration}, must be above ${before}`,
      { next: "leave --to out to raise it by one" },
    );
  }
  const state = { seed: present.seed, issuerGeneration };
  await replaceIdentityFile(path, state);
  return { before, state };
}
