/** Which identity a verb works on: the node's own, a named one, or one in any file. */
import { NetError } from "../src/base/mod.ts";
import { identityPath, prepareDataDir, requireIdentityFolder } from "../src/config/mod.ts";
import type { IdentityState } from "../src/core/crypto/mod.ts";
import { commandAt, placeOf } from "./connect.ts";
import type { NetContext } from "./context.ts";
import type { SharedFlags } from "./flags.ts";
import { formatFields } from "./format.ts";
import type { Output } from "./output.ts";

/** Where an identity lies. */
export interface IdentityPlace {
  readonly path: string;
  /** Data folder whose lock a writer needs; `undefined` for named identities and other files. */
  readonly dataDir: string | undefined;
}

/** An identity that was read; the state is secret. */
export interface OpenedIdentity extends IdentityPlace {
  readonly state: IdentityState;
}

/** Names of this user's identities that begin with `partial`. */
export async function proposeIdentities(
  this: NetContext,
  partial: string,
): Promise<readonly string[]> {
  try {
    const { listNamedIdentities } = await import("../src/core/crypto/mod.ts");
    const names = await listNamedIdentities(requireIdentityFolder(this.io.env));
    return names.filter((name) => name.startsWith(partial));
  } catch {
    // Whoever presses Tab wants proposals or nothing.
    return [];
  }
}

/** The argument that names an identity. */
export const NAME_ARGUMENT = {
  parse: String,
  placeholder: "NAME",
  brief: "Named identity, or a file with / in its path; default: the node's own",
  optional: true,
  proposeCompletions: proposeIdentities,
} as const;

/**
 * Where an identity lies or is to lie.
 *
 * @param name Name, or a path with a slash in it; the node's own identity when left out.
 * @throws NetError `usage` for a bad name, `not_found` when no folder is known.
 */
export function identityPlace(
  context: NetContext,
  flags: SharedFlags,
  name: string | undefined,
): IdentityPlace {
  if (name === undefined) {
    const { dataDir } = placeOf(context, flags);
    if (dataDir === undefined) {
      throw new NetError(
        "not_found",
        "Cannot find identities: neither HOME nor XDG_DATA_HOME is set",
        { next: "set one of them, or give --data-dir" },
      );
    }
    return { path: `${dataDir}/identity.key`, dataDir };
  }
  return { path: identityPath(name, context.io.env, context.io.cwd), dataDir: undefined };
}

/**
 * Reads an identity; warnings about its file are printed.
 *
 * @throws NetError `not_found` when it does not exist.
 */
export async function openIdentity(
  context: NetContext,
  flags: SharedFlags,
  name: string | undefined,
  output: Output,
): Promise<OpenedIdentity> {
  const place = identityPlace(context, flags, name);
  const { requireIdentityFile } = await import("../src/core/crypto/mod.ts");
  const { state, warnings } = await requireIdentityFile(place.path);
  for (const warning of warnings) output.warn(warning);
  return { ...place, state };
}

/**
 * Runs `write` while nobody else uses the data folder that the identity lies in.
 *
 * @throws NetError `data_dir_locked` when a node runs there.
 */
export async function whileIdle<T>(
  context: NetContext,
  flags: SharedFlags,
  { dataDir }: IdentityPlace,
  write: () => Promise<T>,
): Promise<T> {
  if (dataDir === undefined) return await write();
  await prepareDataDir({ ...placeOf(context, flags), isDataDirExplicit: true });
  const { takeDataFolder } = await import("../src/kernel/mod.ts");
  const folder = await takeDataFolder(dataDir).catch((error) => {
    if (!(error instanceof NetError) || error.code !== "data_dir_locked") throw error;
    throw new NetError(error.code, error.message, {
      cause: error,
      next: `stop the node first with ${commandAt("net node stop", flags)}`,
    });
  });
  try {
    return await write();
  } finally {
    await folder.release();
  }
}

/** What may be told of an identity. */
export interface IdentityFields {
  readonly node_id: string;
  readonly entity_id: string;
  readonly origin_hash: string;
  readonly routing_id: number;
  readonly issuer_generation: number;
  readonly file: string;
}

/** The public part of an identity. */
export async function describeIdentity(
  { path, state }: Pick<OpenedIdentity, "path" | "state">,
): Promise<IdentityFields> {
  const { createIdentity } = await import("../src/core/crypto/mod.ts");
  const { idToHex } = await import("../src/base/mod.ts");
  const identity = createIdentity(state.seed, state.issuerGeneration);
  return {
    node_id: idToHex(identity.nodeId),
    entity_id: identity.entityId.toHex(),
    origin_hash: idToHex(identity.originHash),
    routing_id: identity.routingId,
    issuer_generation: identity.issuerGeneration,
    file: path,
  };
}

/** The same for people. */
export function identityText(fields: IdentityFields): string {
  return formatFields([
    ["node", fields.node_id],
    ["entity", fields.entity_id],
    ["origin", fields.origin_hash],
    ["routing", String(fields.routing_id)],
    ["generation", String(fields.issuer_generation)],
    ["file", fields.file],
  ]);
}
