/**
 * The node's three secrets in its data folder: `identity.key`, `noise.key`, `mesh.psk`
 * (`decisions.md` 6), or in memory for amnesia.
 *
 * Each file is one line of 64 hex digits, readable by its owner only from the moment it exists, and
 * complete or absent after a crash. Locking the folder is the caller's part.
 */
import { isNoSpace, NetError, type RandomBytes, systemRandom, toNetError } from "../../base/mod.ts";
import { KEY_BYTES } from "./_okp_keys.ts";
import {
  createOwnerFile,
  isOwnerOnly,
  readSmallFile,
  replaceOwnerFile,
  restrictToOwner,
} from "./owner_file.ts";
import {
  createIdentity,
  generateSeed,
  hasRecognisablePingwaves,
  type Identity,
} from "./identity.ts";
import { createNoiseKeyPair, type NoiseKeyPair } from "./x25519.ts";

/** Names of the key files inside the data folder. */
export const KEY_FILES = {
  identity: "identity.key",
  noise: "noise.key",
  meshSecret: "mesh.psk",
} as const;

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
}

/**
 * Loads the keys of a data folder and makes those that are missing; the folder itself too.
 *
 * A file that others can read is restricted to 0600, with a warning.
 *
 * @throws NetError `config_invalid` when a key file is damaged or cannot be restricted,
 * `data_dir_unusable` when the folder cannot be read or written, `no_space` when the disk is full.
 */
export async function loadKeys(folder: string, options: LoadKeysOptions = {}): Promise<NodeKeys> {
  const random = options.random ?? systemRandom;
  const created: string[] = [];
  const warnings: string[] = [];
  await makeFolder(folder);
  const load = async (name: string, make: () => Uint8Array): Promise<Uint8Array> => {
    const found = await readKeyFile(folder, name, warnings);
    if (found !== undefined) return found;
    const isOurs = await inFolder(folder, `Cannot write ${name}`, () => {
      return createOwnerFile(`${folder}/${name}`, keyLine(make()));
    });
    if (isOurs) created.push(name);
    // Another process may have been first; what lies on the disk is what counts.
    const stored = await readKeyFile(folder, name, warnings);
    if (stored !== undefined) return stored;
    throw new NetError("data_dir_unusable", `Cannot read ${name}: it vanished from "${folder}"`, {
      next: "make sure that nothing else removes files from the data folder, then start again",
    });
  };
  const identitySeed = await load(KEY_FILES.identity, () => generateSeed(random));
  const noisePrivate = await load(KEY_FILES.noise, () => random(KEY_BYTES));
  const meshSecret = await load(KEY_FILES.meshSecret, () => random(MESH_SECRET_BYTES));
  const keys = assembleKeys(identitySeed, noisePrivate, meshSecret);
  if (!hasRecognisablePingwaves(keys.identity.nodeId)) {
    warnings.push("The identity's node id ends in 4e45, so other nodes can't see its pingwaves");
  }
  return { ...keys, created, warnings };
}

/** Fresh keys that are never written anywhere. */
export function createRamKeys(random: RandomBytes = systemRandom): NodeKeys {
  const meshSecret = random(MESH_SECRET_BYTES);
  const keys = assembleKeys(generateSeed(random), random(KEY_BYTES), meshSecret);
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
  await inFolder(folder, `Cannot write ${KEY_FILES.meshSecret}`, () => {
    return replaceOwnerFile(`${folder}/${KEY_FILES.meshSecret}`, keyLine(meshSecret));
  });
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
  const secret = content.length === MESH_SECRET_BYTES ? content : parseKeyLine(content);
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

function assembleKeys(
  identitySeed: Uint8Array,
  noisePrivate: Uint8Array,
  meshSecret: Uint8Array,
): Omit<NodeKeys, "created" | "warnings"> {
  return {
    identity: createIdentity(identitySeed),
    identitySeed,
    noise: createNoiseKeyPair(noisePrivate),
    meshSecret,
  };
}

/** The key in a file, or `undefined` when the file does not exist. */
async function readKeyFile(
  folder: string,
  name: string,
  warnings: string[],
): Promise<Uint8Array | undefined> {
  const path = `${folder}/${name}`;
  const content = await inFolder(folder, `Cannot read ${name}`, async () => {
    try {
      return await readSmallFile(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  });
  if (content === undefined) return undefined;
  const key = parseKeyLine(content);
  if (key === undefined) {
    throw new NetError(
      "config_invalid",
      `Cannot use ${name}: it has ${describeSize(content)}, must be one line of 64 hex digits`,
      { next: `restore "${path}" from a backup, or remove it to have a new one made` },
    );
  }
  if (!(await isOwnerOnly(path))) {
    if (!(await restrictToOwner(path))) {
      throw new NetError(
        "config_invalid",
        `Cannot use ${name}: others can read it, must be readable by its owner only`,
        { next: `run chmod 600 "${path}"` },
      );
    }
    warnings.push(`Others could read ${name}; it was restricted to its owner, consider a new key`);
  }
  return key;
}

function keyLine(key: Uint8Array): string {
  return `${key.toHex()}\n`;
}

function parseKeyLine(content: Uint8Array): Uint8Array | undefined {
  let text = "";
  for (const byte of content) text += String.fromCharCode(byte);
  const digits = text.trim();
  return /^[0-9a-fA-F]{64}$/.test(digits) ? Uint8Array.fromHex(digits) : undefined;
}

/** Size only: the content may be most of a secret. */
function describeSize(content: Uint8Array): string {
  return content.length > 1024
    ? "more than 1024 bytes"
    : `${content.length} bytes of other content`;
}

async function makeFolder(folder: string): Promise<void> {
  await inFolder(folder, "Cannot make data folder", () => {
    return Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  });
}

/** Runs a file action; its failure becomes an error about the data folder. */
async function inFolder<T>(folder: string, action: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (isNoSpace(error)) throw toNetError(error, `${action} in "${folder}"`);
    throw new NetError("data_dir_unusable", `${action}: "${folder}" ${reasonOf(error)}`, {
      cause: error,
      next: "choose a folder that you can read and write with --data-dir",
    });
  }
}

function reasonOf(error: unknown): string {
  if (isRefused(error)) return "is not accessible, must be readable and writable";
  if (error instanceof Deno.errors.NotADirectory || error instanceof Deno.errors.AlreadyExists) {
    return "is not a folder";
  }
  return `failed with ${error instanceof Error ? error.message : String(error)}`;
}

function isRefused(error: unknown): boolean {
  return error instanceof Deno.errors.PermissionDenied ||
    error instanceof Deno.errors.NotCapable ||
    (error instanceof Error && /os error 30\b/.test(error.message));
}
