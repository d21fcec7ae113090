/**
 * Gets into files, as a program that is going to be killed does them: from a mesh that is made up, some chunks come
 * late or never, some gets are given up, and some files have to make room or must not.
 *
 * What is said, each in one write, with the name of a file and what is in it: `getting`, then `got` or `missed`;
 * `claiming`, then `claimed` or `beaten` for a file of the user; `clearing` and `cleared` when it is removed.
 */
import { NetError, systemClock, systemRandom, toHex } from "../../../src/base/mod.ts";
import { HolderBook, Reputation } from "../../../src/blob/_holder_book.ts";
import { createTransferCounters } from "../../../src/blob/transfer_counters.ts";
import {
  type BlobFetcher,
  type BlobTransfer,
  CHUNK_BYTES,
  createBlobFetcher,
  type FetchChunkOptions,
  type ManifestRef,
  TransferRegistry,
} from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import type { Storage } from "../../../src/services/mod.ts";

/** What a file of the user says. */
export const USER_TEXT = "mine\n";
/** How a file of the user is called among contents. */
export const USER = "user";

const BIG_PIECES = 12;
const TAILS = 3;
const TAIL_BYTES = 3_000;
/** Files that are replaced, and as many that are not. */
const NAMES = 2;
const HOLDER = 0xfeedn;
const LATE_MS_MAX = 12;

/** How long a piece is. */
export function getPieceSize(piece: number): number {
  return piece < BIG_PIECES ? CHUNK_BYTES : TAIL_BYTES + piece;
}

/** Bytes of a piece: from `BIG_PIECES` on they are short, and only the last of a blob. */
export function getPiece(piece: number): Uint8Array<ArrayBuffer> {
  const size = getPieceSize(piece);
  const bytes = new Uint8Array(size).fill(piece + 1);
  // No page is like another one, so that a page in the wrong place is seen.
  const view = new DataView(bytes.buffer);
  for (let at = 0; at + 4 <= size; at += 1_024) view.setUint32(at, at);
  return bytes;
}

const hashes = new Map<number, Uint8Array>();

/** Hash of a piece. */
export function getPieceHash(piece: number): Uint8Array {
  const hash = hashes.get(piece) ?? blake3(getPiece(piece));
  hashes.set(piece, hash);
  return hash;
}

/** Pieces of a content, as it is called: `3.0.13`. */
export function piecesOf(content: string): number[] {
  return content.split(".").map(Number);
}

/** True for a file that a get replaces. */
export function isReplaced(name: string): boolean {
  return name.startsWith("o");
}

/** How a program says what it does. */
export type Say = (what: string, name: string, content: string) => void;

/** Gets files until the program is killed. */
export class CrashGets {
  readonly #folder: string;
  readonly #chance: () => number;
  readonly #say: Say;
  readonly #fetcher: BlobFetcher;
  readonly #busy = new Set<string>();

  constructor(storage: Storage, folder: string, chance: () => number, say: Say) {
    this.#folder = folder;
    this.#chance = chance;
    this.#say = say;
    this.#fetcher = createBlobFetcher({
      store: storage.blobs,
      transfer: madeUpTransfer(chance),
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      work: storage.work,
    });
  }

  /** Gets one file, or clears one away. */
  async step(): Promise<void> {
    const overwrite = this.#chance() < 0.5;
    const name = `${overwrite ? "o" : "n"}${Math.floor(this.#chance() * NAMES)}`;
    if (this.#busy.has(name)) return await wait(1);
    this.#busy.add(name);
    try {
      if (!overwrite && this.#chance() < 0.7) await this.#clear(name);
      const claimed = overwrite ? undefined : this.#claimSometimes(name);
      await this.#get(name, overwrite);
      await claimed;
    } finally {
      this.#busy.delete(name);
    }
  }

  async #get(name: string, overwrite: boolean): Promise<void> {
    const content = this.#content();
    const output = `${this.#folder}/${name}`;
    const isNamed = this.#chance() < 0.7;
    const abort = new AbortController();
    const timer = this.#chance() < 0.2
      ? setTimeout(() => abort.abort(), this.#chance() * 2 * LATE_MS_MAX)
      : undefined;
    this.#say("getting", name, content);
    try {
      const { signal } = abort;
      await this.#fetcher.get(refOf(piecesOf(content)), { output, overwrite, isNamed, signal });
      this.#say("got", name, content);
    } catch (error) {
      const isExpected = error instanceof NetError &&
        ["conflict", "not_found", "unreachable"].includes(error.code);
      if (!isExpected && !abort.signal.aborted) throw error;
      this.#say("missed", name, content);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Puts a file of the user where a get may be about to put its own: before it or while it runs. */
  async #claimSometimes(name: string): Promise<void> {
    if (this.#chance() < 0.4) return;
    const mine = `${this.#folder}/../mine`;
    if (this.#chance() < 0.7) await wait(this.#chance() * LATE_MS_MAX * 2);
    this.#say("claiming", name, USER);
    try {
      await Deno.link(mine, `${this.#folder}/${name}`);
      this.#say("claimed", name, USER);
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      this.#say("beaten", name, USER);
    }
  }

  async #clear(name: string): Promise<void> {
    this.#say("clearing", name, "");
    await Deno.remove(`${this.#folder}/${name}`).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
    this.#say("cleared", name, "");
  }

  /** Two to six pieces of which none is like another; mostly few. */
  #content(): string {
    const count = 2 + Math.floor(this.#chance() ** 3 * 5);
    const big = new Set<number>();
    while (big.size < count - 1) big.add(Math.floor(this.#chance() * BIG_PIECES));
    return [...big, BIG_PIECES + Math.floor(this.#chance() * TAILS)].join(".");
  }
}

function refOf(pieces: readonly number[]): ManifestRef {
  const chunks = pieces.map((piece) => ({
    hash: getPieceHash(piece),
    size: getPieceSize(piece),
  }));
  return {
    kind: "manifest",
    uri: "mesh://crash",
    encoding: { kind: "replicated" },
    chunks,
    size: chunks.reduce((sum, { size }) => sum + size, 0),
  };
}

/** A mesh that has every piece, and gives most of them. */
function madeUpTransfer(chance: () => number): BlobTransfer {
  const reputation = new Reputation();
  const pieces = new Map<string, number>();
  for (let i = 0; i < BIG_PIECES + TAILS; i++) pieces.set(toHex(getPieceHash(i)), i);
  return {
    counters: createTransferCounters(),
    registry: new TransferRegistry(systemClock, 1n),
    configure: () => {},
    useFinder: () => {},
    createBook: () => new HolderBook(reputation),
    start: () => {},
    stop: () => {},
    resolve: () => Promise.resolve(undefined),
    fetchChunk: async (hash: Uint8Array, options: FetchChunkOptions = {}) => {
      const { signal, buffers } = options;
      if (chance() < 0.3) await wait(chance() * LATE_MS_MAX, signal);
      signal?.throwIfAborted();
      const dice = chance();
      if (dice < 0.05) throw new NetError("not_found", "Cannot fetch chunk: nobody has it");
      if (dice < 0.1) throw new NetError("unreachable", "Cannot fetch chunk: its holder is gone");
      const bytes = getPiece(pieces.get(toHex(hash)) ?? 0);
      if (buffers === undefined) return { bytes, peer: HOLDER };
      const room = buffers.take(bytes.length).subarray(0, bytes.length);
      room.set(bytes);
      await buffers.hash(room, hash);
      return { bytes: room, peer: HOLDER };
    },
  };
}

function wait(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
