/**
 * Looks at the files that killed gets left: under their names, in the making, and what lies in them that the store
 * was still to take over.
 *
 * What may be there after a kill, by the rules of the code: a file under its name is whole or was not made. A part
 * that a list of `lent/` names goes when the data folder is opened, its chunks into the store. A part that no list
 * names goes with the next writer of its name. `lent/` is empty then.
 */
import { equalBytes, systemRandom, toHex } from "../../../src/base/mod.ts";
import { openOutputFile } from "../../../src/blob/_output_file.ts";
import { parseLentList } from "../../../src/blob/lent/lent_list.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import type { Storage } from "../../../src/services/mod.ts";
import {
  getPieceHash,
  getPieceSize,
  isReplaced,
  piecesOf,
  USER,
  USER_TEXT,
} from "./blob_crash_gets.ts";

/** What a program said of a file. */
export interface FileWord {
  readonly what: string;
  readonly name: string;
  readonly content: string;
}

/** What may be in each file: how its content is called, nothing when it is not there. */
export type FilePromises = Map<string, Set<string>>;

/** Follows what was said of files; files that took the place of another one though they must not. */
export function readFilePromises(said: readonly FileWord[], promises: FilePromises): string[] {
  const faults: string[] = [];
  for (const { what, name, content } of said) {
    const may = promises.get(name) ?? new Set([""]);
    if (/^(getting|claiming|clearing)$/.test(what)) {
      // What failed is not there, unless it was before.
      promises.set(name, new Set([...may, content]));
      if (!may.has(content)) pendingOf(promises).add(`${name} ${content}`);
    } else if (/^(got|claimed|cleared)$/.test(what)) {
      if (what !== "cleared" && !isReplaced(name) && !may.has("")) {
        faults.push(`out/${name} is ${content} and was ${[...may].join(", ")}`);
      }
      promises.set(name, new Set([content]));
      pendingOf(promises).delete(`${name} ${content}`);
    } else if (/^(missed|beaten)$/.test(what)) {
      if (pendingOf(promises).delete(`${name} ${content}`)) may.delete(content);
    }
  }
  pendingOf(promises).clear();
  return faults;
}

const pending = new WeakMap<FilePromises, Set<string>>();

function pendingOf(promises: FilePromises): Set<string> {
  const found = pending.get(promises) ?? new Set();
  pending.set(promises, found);
  return found;
}

/** What lies in `lent/` before anybody opens the data folder. */
export interface LeftLent {
  /** Hashes of chunks that are where a list says, in hex. */
  readonly chunks: ReadonlySet<string>;
  /** Files in the making that a list names. */
  readonly parts: ReadonlySet<string>;
}

/** Looks at `lent/` after a kill. */
export async function lookAtLent(folder: string): Promise<LeftLent> {
  const chunks = new Set<string>();
  const parts = new Set<string>();
  for (const name of await namesIn(`${folder}/lent`)) {
    if (!name.endsWith(".list")) continue;
    const { paths, places } = parseLentList(await Deno.readTextFile(`${folder}/lent/${name}`));
    if (paths[0] !== undefined) parts.add(paths[0]);
    for (const path of paths) {
      const bytes = await Deno.readFile(path).catch(() => undefined);
      for (const { hash, offset, size } of bytes === undefined ? [] : places) {
        const isThere = equalBytes(blake3(bytes!.subarray(offset, offset + size)), hash);
        if (isThere) chunks.add(toHex(hash));
      }
    }
  }
  return { chunks, parts };
}

/** Checks what became of `lent/` once it was taken over, and all files. */
export async function checkFiles(
  folder: string,
  storage: Storage,
  left: LeftLent,
  promises: FilePromises,
  hasRoom: boolean,
): Promise<string[]> {
  const faults: string[] = [];
  for (const name of await namesIn(`${folder}/lent`)) faults.push(`lent/${name} is left`);
  for (const hex of hasRoom ? left.chunks : []) {
    const bytes = await storage.chunks.read(Uint8Array.fromHex(hex));
    if (bytes === undefined) faults.push(`lent chunk ${hex} is lost`);
  }
  const out = `${folder}/out`;
  for (const part of (await namesIn(out)).filter((name) => name.endsWith(".part"))) {
    if (left.parts.has(`${out}/${part}`)) faults.push(`${part} of a list is left`);
    const name = /^\.(.+)\.net-[0-9a-f]{16}\.part$/.exec(part)?.[1];
    if (name === undefined) continue;
    const next = await openOutputFile(`${out}/${name}`, { overwrite: true, random: systemRandom });
    await next.discard();
  }
  const known = new Set(promises.keys());
  for (const name of await namesIn(out)) {
    if (!known.has(name)) faults.push(`out/${name} is nobody's`);
  }
  for (const [name, may] of promises) {
    const bytes = await Deno.readFile(`${out}/${name}`).catch(() => undefined);
    const content = [...may].find((content) => isContent(bytes, content));
    if (content === undefined) {
      const what = bytes === undefined ? "is not there" : `of ${bytes.length} bytes is wrong`;
      faults.push(`out/${name} ${what}, may be: ${[...may].join(", ")}`);
    } else promises.set(name, new Set([content]));
  }
  return faults;
}

function isContent(bytes: Uint8Array | undefined, content: string): boolean {
  if (bytes === undefined || content === "") return bytes === undefined && content === "";
  if (content === USER) return new TextDecoder().decode(bytes) === USER_TEXT;
  const pieces = piecesOf(content);
  let at = 0;
  for (const piece of pieces) {
    const size = getPieceSize(piece);
    if (!equalBytes(blake3(bytes.subarray(at, at + size)), getPieceHash(piece))) return false;
    at += size;
  }
  return at === bytes.length;
}

async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) names.push(name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // Killed before it was made.
  }
  return names;
}
