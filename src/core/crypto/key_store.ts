/**
 * The node's secrets in its data folder: `identity.key`, `noise.key`, `mesh.psk` (`decisions.md` 6), or in
 * memory for amnesia; and `store.key`, where chunks are encrypted at rest.
 *
 * Each file is one line of hex digits, readable by its owner only from the moment it exists, and
 * complete or absent after a crash. An identity whose generation was raised is written as its state
 * (`identity_file.ts`). Locking the folder is the caller's part.
 */
import {
  equalBytes,
  NetError,
  type RandomBytes,
  systemRandom,
  toNetError,
} from "../../base/mod.ts";
import {
  describeSize,
  IDENTITY_FORM,
  inFolder,
  isRefused,
  KEY_FORM,
  type KeyForm,
  readKeyFile,
  STORE_KEY_FORM,
} from "./_key_file.ts";
import { KEY_BYTES } from "./_okp_keys.ts";
import {
  createIdentity,
  generateSeed,
  hasRecognisablePingwaves,
  type Identity,
} from "./identity.ts";
import { requireIdentityFile } from "./identity_file.ts";
import { importIdentity } from "./identity_moves.ts";
import type { IdentityState } from "./identity_state.ts";
import { createOwnerFile, readSmallFile, replaceOwnerFile } from "./owner_file.ts";
import { createNoiseKeyPair, type NoiseKeyPair } from "./x25519.ts";

/** Names of the key files inside the data folder. */
export const KEY_FILES = {
  identity: "identity.key",
  noise: "noise.key",
  meshSecret: "mesh.psk",
} as const;

/** Name of the key that chunks are sealed with; only a store that encrypts has one. */
export const STORE_KEY_FILE = "store.key";

const NEXT_FOLDER = "choose a folder that you can read and write with --data-dir";

/** Bytes of the mesh secret. */
export const MESH_SECRET_BYTES = KEY_BYTES;

/** A node's keys. */
export interface NodeKeys {
  readonly identity: Identity;
  /** Ed25519 seed, 32 bytes; secret. */
  readonly identitySeed: Uint8Array;
  readonly noise: NoiseKeyPair;
  /** Pre-shared key of the mesh, 32 bytes; secret. */
  readonly meshSecret: Uint8Array;
  /** Names of the files this call made. */
  readonly created: readonly string[];
  /** What the operator should know, one sentence each, without secrets. */
  readonly warnings: readonly string[];
}

/** Options of {@linkcode loadKeys}. */
export interface LoadKeysOptions {
  /** Source of new keys; the machine's own when left out. */
  readonly random?: RandomBytes;
  /** Identity to run as; it is taken into the folder, which may hold no other. */
  readonly identity?: IdentityState;
}

/**
 * Loads the keys of a data folder and makes those that are missing; the folder itself too.
 *
 * A file that others can read is restricted to 0600, with a warning.
 *
 * @throws NetError `config_invalid` when a key file is damaged or cannot be restricted, or when an
 * identity is given and the folder holds another; `data_dir_unusable` when the folder cannot be read or written, `no_space` when the disk is full.
 */
export async function loadKeys(folder: string, options: LoadKeysOptions = {}): Promise<NodeKeys> {
  const random = options.random ?? systemRandom;
  const created: string[] = [];
  const warnings: string[] = [];
  await makeFolder(folder);
  const load = async <T>(name: string, form: KeyForm<T>, make: () => T): Promise<T> => {
    const path = `${folder}/${name}`;
    const found = await readKeyFile(path, form, warnings);
    if (found !== undefined) return found;
    const isOurs = await inFolder(folder, `Cannot write ${name}`, NEXT_FOLDER, () => {
      return createOwnerFile(path, form.format(make()));
    });
    if (isOurs) created.push(name);
    // Another process may have been first; what lies on the disk is what counts.
    const stored = await readKeyFile(path, form, warnings);
    if (stored !== undefined) return stored;
    throw new NetError("data_dir_unusable", `Cannot read ${name}: it vanished from "${folder}"`, {
      next: "make sure that nothing else removes files from the data folder, then start again",
    });
  };
  const identity = options.identity === undefined
    ? await load(KEY_FILES.identity, IDENTITY_FORM, () => createIdentityState(random))
    : await keepIdentity(folder, options.identity, warnings);
  const noisePrivate = await load(KEY_FILES.noise, KEY_FORM, () => random(KEY_BYTES));
  const meshSecret = await load(KEY_FILES.meshSecret, KEY_FORM, () => random(MESH_SECRET_BYTES));
  const keys = assembleKeys(identity, noisePrivate, meshSecret);
  if (!hasRecognisablePingwaves(keys.identity.nodeId)) {
    warnings.push("The identity's node id ends in 4e45, so other nodes can't see its pingwaves");
  }
  return { ...keys, created, warnings };
}

/** Fresh keys that are never written anywhere. */
export function createRamKeys(
  random: RandomBytes = systemRandom,
  options: Pick<LoadKeysOptions, "identity"> = {},
): NodeKeys {
  const meshSecret = random(MESH_SECRET_BYTES);
  const identity = options.identity ?? createIdentityState(random);
  const keys = assembleKeys(identity, random(KEY_BYTES), meshSecret);
  return { ...keys, created: [], warnings: [] };
}

/**
 * Puts another mesh secret into the data folder, as joining a mesh does.
 *
 * @param meshSecret 32 bytes.
 * @throws RangeError when it has another length; otherwise as {@linkcode loadKeys}.
 */
export async function replaceMeshSecret(folder: string, meshSecret: Uint8Array): Promise<void> {
  if (meshSecret.length !== MESH_SECRET_BYTES) {
    throw new RangeError(
      `Cannot replace mesh secret: length is ${meshSecret.length}, must be ${MESH_SECRET_BYTES}`,
    );
  }
  await makeFolder(folder);
  await inFolder(folder, `Cannot write ${KEY_FILES.meshSecret}`, NEXT_FOLDER, () => {
    return replaceOwnerFile(`${folder}/${KEY_FILES.meshSecret}`, KEY_FORM.format(meshSecret));
  });
}

/**
 * Loads the key that chunks at rest are sealed with, 32 bytes.
 *
 * @param options.isMade Makes a key when there is none; else the result is `undefined` then.
 * @throws NetError as {@linkcode loadKeys}.
 */
export async function loadStoreKey(
  folder: string,
  options: { readonly isMade: boolean; readonly random?: RandomBytes },
): Promise<{ readonly key: Uint8Array | undefined; readonly warnings: readonly string[] }> {
  const path = `${folder}/${STORE_KEY_FILE}`;
  const warnings: string[] = [];
  const read = () => readKeyFile(path, STORE_KEY_FORM, warnings);
  const found = await read();
  if (found !== undefined || !options.isMade) return { key: found, warnings };
  await makeFolder(folder);
  const random = options.random ?? systemRandom;
  await inFolder(folder, `Cannot write ${STORE_KEY_FILE}`, NEXT_FOLDER, () => {
    return createOwnerFile(path, STORE_KEY_FORM.format(random(KEY_BYTES)));
  });
  // Another process may have been first; what lies on the disk is what counts.
  return { key: await read(), warnings };
}

/**
 * Reads a mesh secret from any file: 64 hex digits, with white space around them, or 32 raw bytes.
 *
 * @throws NetError `config_invalid` when the file is something else, `not_found` when it is missing,
 * `not_allowed` when it may not be read.
 */
export async function readPskFile(path: string): Promise<Uint8Array> {
  const content = await readSmallFile(path).catch((error: unknown) => {
    const next = "name a readable file with --psk-file";
    if (error instanceof Deno.errors.NotFound) {
      throw new NetError("not_found", `Cannot read mesh secret: "${path}" does not exist`, {
        next,
      });
    }
    if (isRefused(error)) {
      throw new NetError("not_allowed", `Cannot read mesh secret: access to "${path}" is refused`, {
        next,
      });
    }
    throw toNetError(error, `Cannot read mesh secret from "${path}"`);
  });
  const secret = content.length === MESH_SECRET_BYTES ? content : KEY_FORM.parse(content);
  if (secret !== undefined) return secret;
  throw new NetError(
    "config_invalid",
    `Cannot use mesh secret in "${path}": it has ${
      describeSize(content)
    }, must be 64 hex digits or ` +
      "32 bytes",
    { next: "write the secret that node ticket --json shows as psk into the file" },
  );
}

function createIdentityState(random: RandomBytes): IdentityState {
  return { seed: generateSeed(random), issuerGeneration: 0 };
}

/** Takes the given identity into the folder, unless that holds another one: who is the node then? */
async function keepIdentity(
  folder: string,
  given: IdentityState,
  warnings: string[],
): Promise<IdentityState> {
  const path = `${folder}/${KEY_FILES.identity}`;
  const own = await readKeyFile(path, IDENTITY_FORM, warnings);
  if (own !== undefined && !equalBytes(own.seed, given.seed)) {
    throw new NetError(
      "config_invalid",
      `Cannot start: two identities are given, the one of --identity and ${KEY_FILES.identity} in ` +
        `"${folder}", must be one`,
      { next: "leave --identity out, or choose an empty folder with --data-dir" },
    );
  }
  await importIdentity(path, given, { isForced: false });
  return (await requireIdentityFile(path)).state;
}

function assembleKeys(
  { seed, issuerGeneration }: IdentityState,
  noisePrivate: Uint8Array,
  meshSecret: Uint8Array,
): Omit<NodeKeys, "created" | "warnings"> {
  return {
    identity: createIdentity(seed, issuerGeneration),
    identitySeed: seed,
    noise: createNoiseKeyPair(noisePrivate),
    meshSecret,
  };
}

async function makeFolder(folder: string): Promise<void> {
  await inFolder(folder, "Cannot make data folder", NEXT_FOLDER, () => {
    return Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  });
}
