/**
 * One thing done to one file or payload in a process of its own, so that its peak memory is known: a put into a
 * store on disk, a read of it, a plain copy, or a put into memory by us or by the Rust core.
 *
 * Arguments: what, the file, a folder. Prints one line of JSON.
 */
import {
  CONTENT_DEFINED_CHUNKING,
  createBlobFetcher,
  createBlobStore,
  createMemoryChunkStore,
  createWorkPool,
  PLAIN_FORM,
  type PutForm,
} from "../src/blob/mod.ts";
import { systemClock, systemRandom } from "../src/base/mod.ts";
import { openLedger } from "../src/core/ledger/mod.ts";
import { createMetricRegistry, silentLog } from "../src/observe/mod.ts";
import { openStorage } from "../src/services/mod.ts";
import { loadRustAddon } from "../test/interop/rust_addon.ts";
import { makeBlobStores } from "../test/interop/rust_blobs.ts";

/** What a process prints. */
export interface BlobStepFigures {
  readonly seconds: number;
  readonly bytes: number;
  readonly peakRssBytes: number;
}

const COPY_BYTES = 1024 * 1024;
const CODED: PutForm = {
  chunking: CONTENT_DEFINED_CHUNKING,
  encoding: { kind: "reed_solomon", data: 10, parity: 4 },
};

type Step = (file: string, folder: string) => Promise<Omit<BlobStepFigures, "peakRssBytes">>;

function steps(): Readonly<Record<string, Step>> {
  return {
    copy: copyFile,
    put: (file, folder) => putFile(file, folder, PLAIN_FORM),
    put_tree: (file, folder) => putFile(file, folder, CODED),
    get: getFile,
    put_memory: putMemory,
    rust_memory: rustMemory,
  };
}

/** A plain copy, and the same on the disk as behind a put: the file, then its name. */
const copyFile: Step = (source, folder) =>
  timed(async () => {
    using from = await Deno.open(source);
    using to = await Deno.open(`${folder}/copy`, { write: true, createNew: true });
    const piece = new Uint8Array(COPY_BYTES);
    let bytes = 0;
    for (;;) {
      const count = await from.read(piece);
      if (count === null) break;
      for (let at = 0; at < count;) at += await to.write(piece.subarray(at, count));
      bytes += count;
    }
    await to.syncData();
    using parent = await Deno.open(folder);
    await parent.sync();
    return bytes;
  });

async function putFile(file: string, folder: string, form: PutForm) {
  const storage = await open(folder);
  try {
    return await timed(async () => {
      using source = await Deno.open(file);
      return (await storage.blobs.put(source, { form })).size;
    });
  } finally {
    await storage.stop();
  }
}

/** Gets the one blob of a folder into nothing, every chunk and the whole verified. */
async function getFile(_: string, folder: string) {
  const storage = await open(folder);
  try {
    const [record] = (await storage.blobs.list({ limit: 1 })).blobs;
    const ref = record && await storage.blobs.resolve(record.address);
    if (ref === undefined) throw new TypeError("there is no blob");
    return await timed(async () => {
      let bytes = 0;
      const sink = {
        keepsBytes: false,
        write: (piece: Uint8Array) => {
          bytes += piece.length;
          return Promise.resolve();
        },
        commit: () => Promise.resolve(),
        discard: () => Promise.resolve(),
      };
      const fetcher = createBlobFetcher({
        store: storage.blobs,
        transfer: undefined,
        clock: systemClock,
        random: systemRandom,
        log: silentLog,
        work: storage.work,
      });
      await fetcher.getInto(ref, () => Promise.resolve(sink));
      return bytes;
    });
  } finally {
    await storage.stop();
  }
}

/** The payload is in memory before, on either side. */
const putMemory: Step = async (file) => {
  const payload = await Deno.readFile(file);
  const ledger = openLedger({ path: ":memory:" });
  const work = createWorkPool({ clock: systemClock });
  const chunks = createMemoryChunkStore({ bytesMax: 2 * payload.length, clock: systemClock });
  const store = await createBlobStore({ ledger, chunks, clock: systemClock, log: silentLog, work });
  const figures = await timed(async () => {
    let at = 0;
    const read = (into: Uint8Array) => {
      const piece = payload.subarray(at, at + into.length);
      into.set(piece);
      at += piece.length;
      return Promise.resolve(piece.length === 0 ? null : piece.length);
    };
    return (await store.put({ read })).size;
  });
  work.stop();
  await ledger.close();
  return figures;
};

/** The hash of the whole is made before, because a caller of the core brings it along. */
const rustMemory: Step = async (file) => {
  const bytes = await Deno.readFile(file);
  const stores = makeBlobStores(loadRustAddon());
  const { seconds } = await stores.put(stores.open(), { bytes });
  return { seconds, bytes: bytes.length };
};

function open(folder: string) {
  const metrics = createMetricRegistry();
  return openStorage({ clock: systemClock, log: silentLog, metrics }, folder);
}

async function timed(work: () => Promise<number>) {
  const startMs = performance.now();
  const bytes = await work();
  return { seconds: (performance.now() - startMs) / 1_000, bytes };
}

/** The most this process ever held, workers included. */
function peakRssBytes(): number {
  const status = Deno.readTextFileSync("/proc/self/status");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? NaN) * 1024;
}

if (import.meta.main) {
  const [what = "", file = "", folder = ""] = Deno.args;
  const step = steps()[what];
  if (step === undefined) throw new TypeError(`there is no step "${what}"`);
  const { seconds, bytes } = await step(file, folder);
  console.log(JSON.stringify({ seconds, bytes, peakRssBytes: peakRssBytes() }));
  Deno.exit(0);
}
