/**
 * A program that puts, fetches, spills, removes and collects blobs and gets files, several things at once, until it
 * is killed: `blob_crash_writer.ts FOLDER SEED RUN`. It says what it is about to do to a blob and what was acknowledged,
 * each in one write: `putting`, `put`, `removing`, `removed`, `spilled` and an address or hash in hex; of files, see
 * `blob_crash_gets.ts`.
 */
import { systemClock, toHex } from "../../../src/base/mod.ts";
import { type BlobEncoding, createSpillMemory, putFolder } from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { createMetricRegistry, silentLog } from "../../../src/observe/mod.ts";
import { openStorage, type Storage } from "../../../src/services/mod.ts";
import { seededRandom } from "../../sim/memory_network.ts";
import { bytesSource, seededBytes } from "../sources.ts";
import { CrashGets, USER_TEXT } from "./blob_crash_gets.ts";

/** Pieces that blobs are made of: few, so that blobs share chunks. */
const PIECES = 12;
const PIECE_BYTES = 2_000;
/** Folders that are put; nobody removes them. */
const FOLDERS = 4;
/** Things that are done at the same time. */
const LANES = 3;
/** Files that are got beside, in every second run: they leave little time for the others. */
const GET_LANES = 2;
/** What a store holds in every second seed: full now and then. */
const QUOTA_BYTES = 60_000;
const HOLDER = 0xabcdn;

/** Opens the data folder of a seed. */
export function openCrashStorage(folder: string, seed: number): Promise<Storage> {
  const deps = { clock: systemClock, log: silentLog, metrics: createMetricRegistry() };
  const blobQuota = hasQuota(seed) ? QUOTA_BYTES : undefined;
  return openStorage(deps, folder, { blobQuota });
}

/** True for a store that is too small for what is got. */
export function hasQuota(seed: number): boolean {
  return seed % 2 === 0;
}

/** Bytes of one piece. */
export function crashPiece(piece: number): Uint8Array<ArrayBuffer> {
  return seededBytes(PIECE_BYTES, piece + 1);
}

async function write(folder: string, seed: number, run: number): Promise<never> {
  const storage = await openCrashStorage(folder, seed);
  await makeFolders(`${folder}/source`);
  await Deno.mkdir(`${folder}/out`, { recursive: true });
  await Deno.writeTextFile(`${folder}/mine`, USER_TEXT);
  const chance = seededRandom(seed * 1_000 + run);
  const writer = new Writer(storage, chance, `${folder}/source`);
  const gets = new CrashGets(storage, `${folder}/out`, chance, say);
  const getLanes = (seed + run) % 2 === 0 ? GET_LANES : 0;
  say("begin", "");
  await Promise.all([
    ...Array.from({ length: LANES }, () => writer.run()),
    ...Array.from({ length: getLanes }, () => getFiles(gets)),
  ]);
  throw new Error("a lane ended");
}

async function getFiles(gets: CrashGets): Promise<never> {
  for (;;) await gets.step();
}

/** Folders with one file, two files and so on; the same in every run. */
async function makeFolders(source: string): Promise<void> {
  for (let count = 1; count <= FOLDERS; count++) {
    await Deno.mkdir(`${source}/${count}`, { recursive: true });
    for (let i = 0; i < count; i++) {
      const path = `${source}/${count}/${i}`;
      await Deno.writeFile(path, crashPiece(i).subarray(0, 300 + i));
      await Deno.utime(path, 1_000, 1_000);
    }
  }
}

class Writer {
  readonly #storage: Storage;
  readonly #chance: () => number;
  readonly #source: string;
  /** Blobs that something is being done to. */
  readonly #busy = new Set<string>();

  constructor(storage: Storage, chance: () => number, source: string) {
    this.#storage = storage;
    this.#chance = chance;
    this.#source = source;
  }

  async run(): Promise<never> {
    for (;;) {
      try {
        await this.#step();
      } catch (error) {
        const code = (error as { code?: unknown }).code;
        if (code !== "no_space") throw error;
      }
      if (this.#chance() < 0.2) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #step(): Promise<unknown> {
    const dice = this.#chance();
    if (dice < 0.4) return this.#put();
    if (dice < 0.5) return this.#putFolder();
    if (dice < 0.65) return this.#fetch();
    if (dice < 0.8) return this.#remove();
    if (dice < 0.88) return this.#spill();
    const isUnderPressure = this.#chance() < 0.5;
    return this.#storage.blobs.collect({
      retentionMs: isUnderPressure ? 1_000 : 0,
      isUnderPressure,
    });
  }

  /** Puts some pieces in one of four forms. */
  async #put(): Promise<void> {
    const bytes = this.#bytes();
    const encodings: BlobEncoding[] = [
      { kind: "replicated" },
      { kind: "reed_solomon", data: 3, parity: 2 },
    ];
    const form = this.#chance() < 0.3 ? undefined : {
      chunking: { kind: "fixed", chunkBytes: PIECE_BYTES } as const,
      encoding: encodings[Math.floor(this.#chance() * 2)] ?? { kind: "replicated" },
    };
    await this.#alone(blake3(bytes), async (name) => {
      say("putting", name);
      await this.#storage.blobs.put(bytesSource(bytes, 700), { form });
      say("put", name);
    });
  }

  async #putFolder(): Promise<void> {
    const { blobs: store } = this.#storage;
    const folder = `${this.#source}/${1 + Math.floor(this.#chance() * FOLDERS)}`;
    const { stored } = await putFolder({ store, clock: systemClock }, folder);
    say("put", toHex(stored.hash));
  }

  /** Gets a blob as a fetch does: chunks that nothing refers to yet, then the record. */
  async #fetch(): Promise<void> {
    const { blobs } = this.#storage;
    const bytes = this.#bytes();
    const address = blake3(bytes);
    await this.#alone(address, async (name) => {
      say("fetching", name);
      if (await blobs.addChunk(address, bytes) === "stored" && this.#chance() < 0.3) return;
      const draft = blobs.begin({ origin: "fetched" });
      try {
        const size = await draft.keepChunk(address);
        if (size === undefined || this.#chance() < 0.2) return;
        const ref = { kind: "small", uri: `mesh://${name}`, hash: address, size } as const;
        const chunks = [{ hash: address, size }];
        await draft.commit({ address, ref, size, chunks, kind: "blob" });
      } finally {
        await draft.abort({ keepChunks: true });
      }
    });
  }

  async #remove(): Promise<void> {
    const { blobs } = await this.#storage.blobs.list({ limit: 50, filter: { kind: "blob" } });
    const blob = blobs[Math.floor(this.#chance() * blobs.length)];
    if (blob === undefined) return;
    await this.#alone(blob.address, async (name) => {
      say("removing", name);
      await this.#storage.blobs.remove(blob.address);
      say("removed", name);
    });
  }

  /** Lets go a chunk that a peer is known to hold, as overflow does. */
  async #spill(): Promise<void> {
    const { blobs, ledger } = this.#storage;
    const hash = blake3(crashPiece(Math.floor(this.#chance() * PIECES)));
    const size = await blobs.hasChunk(hash);
    if (size === undefined) return;
    const spill = { hash, size, holder: HOLDER, provenAtMs: systemClock.wallMs() };
    await createSpillMemory(ledger).write([spill]);
    if (await blobs.dropCopy(hash) !== undefined) say("spilled", toHex(hash));
  }

  #bytes(): Uint8Array<ArrayBuffer> {
    const pieces = Array.from(
      { length: 1 + Math.floor(this.#chance() * 6) },
      () => crashPiece(Math.floor(this.#chance() * PIECES)),
    );
    const bytes = new Uint8Array(PIECE_BYTES * pieces.length);
    for (const [i, piece] of pieces.entries()) bytes.set(piece, PIECE_BYTES * i);
    return bytes;
  }

  /** One thing at a time for each blob, so that what is said last is what counts. */
  async #alone(address: Uint8Array, action: (name: string) => Promise<void>): Promise<void> {
    const name = toHex(address);
    if (this.#busy.has(name)) return;
    this.#busy.add(name);
    try {
      await action(name);
    } finally {
      this.#busy.delete(name);
    }
  }
}

function say(what: string, name: string, content = ""): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${what} ${name} ${content}\n`));
}

if (import.meta.main) {
  const [folder = "", seed = "0", run = "0"] = Deno.args;
  await write(folder, Number(seed), Number(run));
}
