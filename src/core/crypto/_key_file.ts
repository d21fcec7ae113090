/** Key files: one line of hex digits, for its owner's eyes only; and what their errors say. */
import { isNoSpace, NetError, toNetError } from "../../base/mod.ts";
import { KEY_BYTES } from "./_okp_keys.ts";
import {
  decodeIdentityState,
  encodeIdentityState,
  IDENTITY_STATE_BYTES,
  type IdentityState,
} from "./identity_state.ts";
import { isOwnerOnly, readSmallFile, restrictToOwner } from "./owner_file.ts";

/** How a kind of key is written. */
export interface KeyForm<T> {
  /** What the file has to hold, for errors. */
  readonly required: string;
  /** What to do about a damaged file; left out, a new key takes its place. */
  readonly next?: string;
  format(key: T): string;
  parse(content: Uint8Array): T | undefined;
}

/** 32 bytes as 64 hex digits. */
export const KEY_FORM: KeyForm<Uint8Array> = {
  required: "one line of 64 hex digits",
  format: (key) => `${key.toHex()}\n`,
  parse: (content) => parseHexLine(content, KEY_BYTES),
};

/** The key of a store: without it, what was sealed with it is lost. */
export const STORE_KEY_FORM: KeyForm<Uint8Array> = {
  ...KEY_FORM,
  next: "restore it from a backup: chunks that were sealed with it can't be read without it",
};

/** A seed as 64 hex digits while the generation is 0, or the state of an identity as 74. */
export const IDENTITY_FORM: KeyForm<IdentityState> = {
  required: "one line of 64 or 74 hex digits",
  format: (state) =>
    `${(state.issuerGeneration === 0 ? state.seed : encodeIdentityState(state)).toHex()}\n`,
  parse: (content) => {
    const seed = parseHexLine(content, KEY_BYTES);
    if (seed !== undefined) return { seed, issuerGeneration: 0 };
    const bytes = parseHexLine(content, IDENTITY_STATE_BYTES);
    const decoded = bytes === undefined ? undefined : decodeIdentityState(bytes);
    return decoded?.ok ? decoded.state : undefined;
  },
};

/**
 * The key in a file, or `undefined` when the file does not exist. One that others can read is restricted
 * to 0600, with a warning.
 *
 * @param path Path with its folder.
 * @throws NetError `config_invalid` when the file is damaged or cannot be restricted,
 * `data_dir_unusable` when it cannot be read.
 */
export async function readKeyFile<T>(
  path: string,
  form: KeyForm<T>,
  warnings: string[],
): Promise<T | undefined> {
  const at = path.lastIndexOf("/");
  const [folder, name] = [path.slice(0, at), path.slice(at + 1)];
  const next = "make the folder and its files readable for yourself";
  const content = await inFolder(folder, `Cannot read ${name}`, next, async () => {
    try {
      return await readSmallFile(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  });
  if (content === undefined) return undefined;
  const key = form.parse(content);
  if (key === undefined) {
    throw new NetError(
      "config_invalid",
      `Cannot use ${name}: it has ${describeSize(content)}, must be ${form.required}`,
      { next: form.next ?? `restore "${path}" from a backup, or remove it to have a new one made` },
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

/** Size only: the content may be most of a secret. */
export function describeSize(content: Uint8Array): string {
  return content.length > 1024
    ? "more than 1024 bytes"
    : `${content.length} bytes of other content`;
}

/** Runs a file action; its failure becomes an error about the folder. */
export async function inFolder<T>(
  folder: string,
  action: string,
  next: string,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (isNoSpace(error)) throw toNetError(error, `${action} in "${folder}"`);
    throw new NetError("data_dir_unusable", `${action}: "${folder}" ${reasonOf(error)}`, {
      cause: error,
      next,
    });
  }
}

/** True when access to a file was refused. */
export function isRefused(error: unknown): boolean {
  return error instanceof Deno.errors.PermissionDenied ||
    error instanceof Deno.errors.NotCapable ||
    (error instanceof Error && /os error 30\b/.test(error.message));
}

function reasonOf(error: unknown): string {
  if (isRefused(error)) return "is not accessible, must be readable and writable";
  if (error instanceof Deno.errors.NotADirectory || error instanceof Deno.errors.AlreadyExists) {
    return "is not a folder";
  }
  return `failed with ${error instanceof Error ? error.message : String(error)}`;
}

function parseHexLine(content: Uint8Array, length: number): Uint8Array | undefined {
  let text = "";
  for (const byte of content) text += String.fromCharCode(byte);
  const digits = text.trim();
  return digits.length === 2 * length && /^[0-9a-fA-F]+$/.test(digits)
    ? Uint8Array.fromHex(digits)
    : undefined;
}
