/**
 * Chunks of gets that lie in the file that is made, and not in the store yet (`decisions.md` 15).
 *
 * A get writes each byte once, into its file. Until the store has taken the chunks over, which it does when no get
 * is running, they are read from that file: by the next get, also after this process was killed, and by peers.
 * What is read is hashed, so a file that somebody changed just has fewer chunks. When a get fails, the file in the
 * making comes here and goes when its chunks are taken over. When this process is killed, a file in the making that a
 * list names goes with the next start, also an empty one; any other goes with the next writer of its name.
 */
import { type Clock, equalBytes, NetError, toHex, toNetError } from "../../base/mod.ts";
import type { Log } from "../../observe/mod.ts";
import { hashInTurns, type WorkPool } from "../work/mod.ts";
import { LentFile } from "./lent_file.ts";
import { formatLentPath, type LentPlace, parseLentList } from "./lent_list.ts";

/** What {@linkcode LentChunks} needs. */
export interface LentChunksDeps {
  /** Where lists are, and files of gets that failed: a folder of this process alone. */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly work: WorkPool;
}

/** Stores a chunk for good; throws NetError `no_space`. */
export type TakeChunk = (hash: Uint8Array, bytes: Uint8Array) => Promise<unknown>;

/** What a get lends. */
export interface Lending {
  /** A chunk is written and verified. */
  add(place: LentPlace): void;
  /** The file is about to get its own name. */
  moves(path: string): void;
  /** The file is whole; its chunks come to the store, if they are to be kept. */
  commit(isKept: boolean): void;
  /** The get failed: what came is kept. The file is not where it was when this resolves; idempotent. */
  discard(): Promise<void>;
}

/** What lent chunks count. */
export interface LentCounters {
  lent_chunks: number;
  lent_taken_total: number;
  /** Chunks that were no longer what they had been. */
  lent_damaged_total: number;
}

/** Files that lend at once: all gets there can be, and some whose chunks are being taken over. */
const FILES_MAX = 128;

/** How long running gets are made way for, and how often it is looked whether they are over. */
const PATIENCE_MS = 30_000;
const LOOK_MS = 250;

const LIST_SUFFIX = ".list";
const DATA_SUFFIX = ".data";

/** Chunks outside of the store. */
export class LentChunks {
  readonly counters: LentCounters = { lent_chunks: 0, lent_taken_total: 0, lent_damaged_total: 0 };
  readonly #deps: LentChunksDeps;
  readonly #files = new Set<LentFile>();
  /** Gets that write now. */
  #running = 0;
  #lastId = 0;
  #take: TakeChunk | undefined;
  /** Files whose chunks are taken over, one after the other. */
  #taking: Promise<void> = Promise.resolve();
  readonly #stop = new AbortController();

  constructor(deps: LentChunksDeps) {
    this.#deps = deps;
  }

  /** Finds what an earlier process left, and begins to give it to the store. */
  async open(take: TakeChunk): Promise<void> {
    this.#take = take;
    const { folder, log } = this.#deps;
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    const names = new Set<string>();
    for await (const { name } of Deno.readDir(folder)) names.add(name);
    for (const name of names) {
      const id = name.endsWith(LIST_SUFFIX) ? name.slice(0, -LIST_SUFFIX.length) : undefined;
      if (id !== undefined) {
        this.#lastId = Math.max(this.#lastId, Number(id) || 0);
        const file = await this.#find(`${folder}/${name}`);
        if (file !== undefined) {
          this.#takeOver(file);
          continue;
        }
        await removeIfThere(`${folder}/${id}${DATA_SUFFIX}`);
        await removeIfThere(`${folder}/${name}`);
      } else if (!names.has(name.replace(/\.data$/, LIST_SUFFIX))) {
        await removeIfThere(`${folder}/${name}`);
      }
    }
    if (this.#files.size > 0) log.info("lent_chunks_found", { files: this.#files.size });
  }

  /** Ends what is under way; what is not taken over stays for the next process. Idempotent. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#taking;
    for (const file of this.#files) file[Symbol.dispose]();
    this.#files.clear();
  }

  /** Resolves when everything that no get writes any more is in the store. */
  settle(): Promise<void> {
    return this.#taking;
  }

  /**
   * Begins to lend from a file that is written.
   *
   * @returns `undefined` when there are too many already, or the file cannot be read.
   */
  async lend(path: string): Promise<Lending | undefined> {
    if (this.#files.size >= FILES_MAX || this.#stop.signal.aborted) return undefined;
    const listPath = `${this.#deps.folder}/${++this.#lastId}${LIST_SUFFIX}`;
    let file: LentFile;
    try {
      file = new LentFile(listPath, path, await Deno.open(path));
    } catch {
      return undefined; // Then chunks are kept one by one.
    }
    try {
      await Deno.writeTextFile(listPath, formatLentPath(path), { createNew: true, mode: 0o600 });
    } catch {
      file[Symbol.dispose]();
      return undefined;
    }
    this.#files.add(file);
    this.#running += 1;
    let isEnded = false;
    const end = (): boolean => {
      if (isEnded) return false;
      isEnded = true;
      this.#running -= 1;
      return true;
    };
    return {
      add: (place) => {
        // A write that ends behind the end of its get: the list may be gone.
        if (isEnded) return;
        if (this.#note(() => file.add(place))) this.counters.lent_chunks += 1;
      },
      moves: (to) => void this.#note(() => file.moves(to)),
      commit: (isKept) => {
        if (!end()) return;
        if (!isKept) { for (const { hash } of file.places) this.#forget(file, toHex(hash)); }
        this.#takeOver(file);
      },
      discard: async () => {
        if (!end()) return;
        await this.#adopt(file, path);
        this.#takeOver(file);
      },
    };
  }

  /** Size of a chunk that is lent. */
  sizeOf(hash: Uint8Array): number | undefined {
    return this.#look(toHex(hash))?.place.size;
  }

  /** A chunk that is lent, verified; in `into` when it fits. */
  async read(
    hash: Uint8Array,
    into?: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const key = toHex(hash);
    const found = this.#look(key);
    if (found === undefined) return undefined;
    const bytes = await found.file.read(found.place, into).catch(() => undefined);
    if (bytes !== undefined && equalBytes(await hashInTurns(bytes), hash)) {
      return bytes as Uint8Array<ArrayBuffer>;
    }
    this.#damaged(found.file, key);
    return undefined;
  }

  /** Writes to a list; false when that failed, which costs the get nothing. */
  #note(write: () => void): boolean {
    try {
      write();
      return true;
    } catch (error) {
      const { message } = toNetError(error, "Cannot write list of chunks");
      this.#deps.log.warn("chunk_not_kept", {
        reason: message,
        hint: "the get goes on, but could not be resumed: free some space",
      });
      return false;
    }
  }

  #look(key: string): { readonly file: LentFile; readonly place: LentPlace } | undefined {
    for (const file of this.#files) {
      const place = file.find(key);
      if (place !== undefined) return { file, place };
    }
    return undefined;
  }

  #forget(file: LentFile, key: string): void {
    if (file.find(key) !== undefined) this.counters.lent_chunks -= 1;
    file.remove(key);
  }

  #damaged(file: LentFile, key: string): void {
    if (file.find(key) === undefined) return;
    this.#forget(file, key);
    this.counters.lent_damaged_total += 1;
  }

  /** Opens the file of a list that was found. */
  async #find(listPath: string): Promise<LentFile | undefined> {
    const { paths, places } = parseLentList(await Deno.readTextFile(listPath));
    if (places.length === 0) {
      // The get was killed before anything came: nobody goes on from that.
      if (paths[0] !== undefined) await removeDeadPart(paths[0]);
      return undefined;
    }
    const isOwn = (path: string) => path.startsWith(`${this.#deps.folder}/`);
    // Under the name that the user chose there may be something else by now.
    const inOrder = [...paths.filter(isOwn), ...paths.filter((path) => !isOwn(path))];
    for (const path of inOrder) {
      // The first is the part, whatever the user's file is called.
      const isPart = path === paths[0];
      const opened = await openPlain(path, isPart);
      if (opened === undefined) continue;
      // A part whose writer was killed is ours; the lock keeps others from tidying it away.
      if (isPart && !await opened.tryLock(true).catch(() => false)) {
        opened.close();
        continue;
      }
      const file = new LentFile(listPath, path, opened, places);
      file.isOurs = isPart || isOwn(path);
      this.#files.add(file);
      this.counters.lent_chunks += places.length;
      return file;
    }
    return undefined;
  }

  /** Brings the file of a get that failed out of its folder; what has the name it was to get is the user's. */
  async #adopt(file: LentFile, from: string): Promise<void> {
    file.isOurs = true;
    const to = file.listPath.replace(/\.list$/, DATA_SUFFIX);
    try {
      file.moves(to);
      await Deno.rename(from, to);
    } catch {
      file.isOurs = false;
      // Another device: it is read to its end without a name, and lost if this process ends before that.
      await removeIfThere(from);
    }
  }

  /** Gives the chunks of a file to the store, when those before have been given. */
  #takeOver(file: LentFile): void {
    this.#taking = this.#taking.then(() => this.#takeAll(file)).catch((error) => {
      const { message } = toNetError(error, "Cannot take over chunks");
      this.#deps.log.warn("chunk_not_kept", { reason: message });
    });
  }

  async #takeAll(file: LentFile): Promise<void> {
    const { work } = this.#deps;
    const [first] = file.places;
    const buffer = first && work.takeBuffer(first.size);
    try {
      const untilMs = this.#deps.clock.now() + PATIENCE_MS;
      if (file.places.length > 0) file.readPast();
      for (const place of file.places) {
        await this.#makeWay(untilMs);
        if (this.#stop.signal.aborted) return;
        const key = toHex(place.hash);
        if (file.find(key) !== undefined && !await this.#takeOne(file, place, buffer)) break;
      }
    } finally {
      if (buffer !== undefined) work.giveBack(buffer);
    }
    for (const { hash } of file.places) this.#forget(file, toHex(hash));
    this.#files.delete(file);
    file[Symbol.dispose]();
    try {
      // The list goes last: when this process is killed between the two, the next one still knows of the file.
      if (file.isOurs) await removeIfThere(file.path);
    } finally {
      await removeIfThere(file.listPath);
    }
  }

  /** False when there is no use in going on. */
  async #takeOne(
    file: LentFile,
    place: LentPlace,
    buffer: Uint8Array | undefined,
  ): Promise<boolean> {
    const { work, log } = this.#deps;
    const { hash } = place;
    const key = toHex(hash);
    const bytes = await file.read(place, buffer).catch(() => undefined);
    if (bytes === undefined || !equalBytes((await work.hash(bytes)).hash, hash)) {
      this.#damaged(file, key);
      return true;
    }
    try {
      await this.#take?.(hash, bytes);
      this.counters.lent_taken_total += 1;
      this.#forget(file, key);
      return true;
    } catch (error) {
      const isFull = error instanceof NetError && error.code === "no_space";
      log.warn("chunk_not_kept", {
        hash: key,
        reason: toNetError(error, "Cannot keep chunk").message,
        hint: "the file is whole, but its chunks are not kept: free some space",
      });
      return !isFull;
    }
  }

  /** Waits while gets write, but not for ever. */
  async #makeWay(untilMs: number): Promise<void> {
    const { clock } = this.#deps;
    while (this.#running > 0 && clock.now() < untilMs && !this.#stop.signal.aborted) {
      await new Promise<void>((resolve) => {
        const end = () => {
          cancel();
          this.#stop.signal.removeEventListener("abort", end);
          resolve();
        };
        const cancel = clock.after(LOOK_MS, end);
        this.#stop.signal.addEventListener("abort", end, { once: true });
      });
    }
  }
}

/** Opens a file; whoever opens a pipe waits until somebody writes to it. */
async function openPlain(path: string, isWritten: boolean): Promise<Deno.FsFile | undefined> {
  try {
    const { isFile } = await Deno.stat(path);
    return isFile ? await Deno.open(path, { read: true, write: isWritten }) : undefined;
  } catch {
    return undefined; // Not there, or not ours to read.
  }
}

/** Removes a part that no writer has locked. */
async function removeDeadPart(path: string): Promise<void> {
  const part = await openPlain(path, true);
  if (part === undefined) return;
  try {
    if (await part.tryLock(true)) await removeIfThere(path);
  } catch {
    // A file system without locks, or a folder we may no longer write to: the next writer of that name sees to it.
  } finally {
    part.close();
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
