/** Manifests of directories (`dataforts.md` 14): real bytes, and hand-made ones with what becomes of them. */
import assert from "node:assert/strict";
import { NetError, systemRandom } from "../../../src/base/mod.ts";
import {
  chunkFixed,
  decodeDirManifest,
  type DirEntry,
  encodeBlobRef,
  encodeDirManifest,
  type ExtractionPlan,
  fileMode,
  type FolderChunks,
  getFolder,
  planExtraction,
  refOfChunks,
} from "../../../src/blob/mod.ts";
import { describeFolder, makeFolder, withFolder } from "../../blob/folder/folders.ts";
import { putIntoMemory } from "../../blob/folder/stores.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { bytesSource } from "../../blob/sources.ts";
import type { VectorSuite } from "../suite.ts";
import {
  booleanOf,
  bytesOf,
  has,
  listOf,
  numberOf,
  objectOf,
  recordOf,
  textOf,
  valueAt,
  type VectorObject,
} from "../vector_reader.ts";
import { inputOf } from "./_blob_inputs.ts";

/** New files and folders under the umask of the vectors. */
const [FILE_MODE, DIR_MODE] = [0o644, "755"];

/** Suites of this file by path. */
export const BLOB_DIRECTORY_SUITES: Readonly<Record<string, VectorSuite>> = {
  "dataforts/dir_manifest.json": (document) => {
    const all = objectOf(document, "document");
    const big = recordOf(all, "files_big");
    const modes = listOf(
      objectOf(valueAt(document, "file_mode_application"), "modes"),
      "stored_mode_octal_to_on_disk_octal",
    );
    return {
      manifest: { cases: [all], check: checkManifest },
      put: { cases: [all], check: (vector) => checkPut(vector, big) },
      entries: (vector) => checkContent(vector, big),
      hand_made: checkHandMade,
      get: {
        cases: listOf(all, "hand_made").map((value) => objectOf(value, "case")),
        check: checkGet,
      },
      get_real: { cases: [all], check: (vector) => checkGetReal(vector, big) },
      modes: { cases: modes.map((pair) => ({ pair })), check: checkMode },
    };
  },
};

async function checkManifest(vector: VectorObject): Promise<void> {
  const bytes = bytesOf(vector, "manifest_hex");
  const decoded = decodeDirManifest(bytes);
  assert.ok(decoded.ok);
  assert.deepEqual(decoded.entries, entriesOf(vector));
  assert.deepEqual(encodeDirManifest(decoded.entries.toReversed()), bytes);
  const chunked = await chunkFixed(bytesSource(bytes), { onChunk: () => Promise.resolve() });
  assert.deepEqual(encodeBlobRef(refOfChunks(chunked)), bytesOf(vector, "manifest_ref_hex"));
  checkPlan(decoded.entries, recordOf(vector, "fetched"));
}

/** The same folder on a real disk gives the same manifest and reference. */
async function checkPut(vector: VectorObject, big: VectorObject): Promise<void> {
  await withFolder(async (root) => {
    for (const value of listOf(vector, "entries")) {
      const entry = objectOf(value, "entry");
      const path = textOf(entry, "path");
      const kind = textOf(entry, "kind");
      if (kind === "dir") Deno.mkdirSync(`${root}/${path}`);
      else if (kind === "symlink") Deno.symlinkSync(textOf(entry, "target"), `${root}/${path}`);
      else Deno.writeFileSync(`${root}/${path}`, contentOf(entry, big));
      if (kind !== "symlink") Deno.chmodSync(`${root}/${path}`, numberOf(entry, "mode") & 0o777);
    }
    const { stored, manifest } = await putIntoMemory(root);
    assert.deepEqual(manifest, bytesOf(vector, "manifest_hex"));
    assert.deepEqual(stored.blobRef, bytesOf(vector, "manifest_ref_hex"));
  });
}

/** The reference of a file is made of its content alone. */
async function checkContent(vector: VectorObject, big: VectorObject): Promise<void> {
  if (textOf(vector, "kind") !== "file") return;
  const chunked = await chunkFixed(bytesSource(contentOf(vector, big)), {
    onChunk: () => Promise.resolve(),
  });
  assert.deepEqual(encodeBlobRef(refOfChunks(chunked)), bytesOf(vector, "blob"));
}

function contentOf(vector: VectorObject, big: VectorObject): Uint8Array {
  const path = textOf(vector, "path");
  if (has(big, path)) return inputOf(recordOf(big, path));
  return bytesOf(recordOf(vector, "content"), "hex");
}

function checkHandMade(vector: VectorObject): void {
  const result = recordOf(vector, "result");
  const bytes = bytesOf(vector, "manifest_hex");
  const decoded = decodeDirManifest(bytes);
  if (!decoded.ok) {
    const isForm = decoded.fault === "unsupported_version";
    assert.equal(isForm ? "bad_manifest" : decoded.fault, textOf(result, "error"));
    return;
  }
  const entries = has(vector, "entries") ? entriesOf(vector) : decoded.entries;
  assert.deepEqual(decoded.entries, entries);
  if (booleanOf(result, "ok")) return checkPlan(entries, result);
  const planned = planExtraction(entries);
  // Whether a holder has the content is not known yet.
  if (textOf(result, "error") === "not_found") return assert.ok(planned.ok);
  assert.ok(!planned.ok);
  const fault = planned.fault === "bad_reference" ? "bad_manifest" : planned.fault;
  assert.equal(fault, textOf(result, "error"));
}

/** The same on a real disk, beside a folder that is to stay as it is. */
async function checkGet(vector: VectorObject): Promise<void> {
  const content = Uint8Array.from({ length: 1_000 }, (_, i) => i * 31 + 7);
  const hash = blake3(content).toHex();
  const read: FolderChunks["read"] = (wanted) =>
    wanted.toHex() === hash
      ? Promise.resolve({ bytes: content, peer: undefined })
      : Promise.reject(new NetError("not_found", "Cannot get blob: nobody has it"));
  await checkFolder(bytesOf(vector, "manifest_hex"), recordOf(vector, "result"), { read });
}

async function checkGetReal(vector: VectorObject, big: VectorObject): Promise<void> {
  const chunks = new Map<string, Uint8Array>();
  for (const value of listOf(vector, "entries")) {
    const entry = objectOf(value, "entry");
    if (textOf(entry, "kind") !== "file") continue;
    await chunkFixed(bytesSource(contentOf(entry, big)), {
      onChunk: ({ hash, bytes }) => Promise.resolve(void chunks.set(hash.toHex(), bytes.slice())),
    });
  }
  const read: FolderChunks["read"] = (hash) => {
    const bytes = chunks.get(hash.toHex());
    assert.ok(bytes !== undefined);
    return Promise.resolve({ bytes, peer: undefined });
  };
  const result = { ...recordOf(vector, "fetched"), ok: true };
  await checkFolder(bytesOf(vector, "manifest_hex"), result, { read });
}

async function checkFolder(
  manifest: Uint8Array,
  result: VectorObject,
  chunks: FolderChunks,
): Promise<void> {
  await withFolder(async (base) => {
    makeFolder(base, { "out/old": "kept", "neighbour": "1" });
    const before = describeFolder(base);
    const deps = { chunks, clock: new ManualClock(), random: systemRandom };
    const got = await getFolder(deps, manifest, { output: `${base}/out`, overwrite: true })
      .catch((error) => {
        assert.ok(error instanceof NetError);
        return undefined;
      });
    assert.equal(got !== undefined, booleanOf(result, "ok"));
    if (got === undefined) return assert.deepEqual(describeFolder(base), before);
    assert.equal(String(got.files), textOf(result, "files"));
    assert.equal(String(got.bytes), textOf(result, "bytes"));
    const isNew = Deno.umask() === 0o022;
    const tree = describeFolder(`${base}/out`).map((line) => line.split(" ")).map((
      [path = "", kind = "", detail = ""],
    ) => kind === "link" ? [path, "symlink", detail] : [path, kind, isNew ? detail : "?"]);
    const expected = listOf(result, "tree").map((row) => {
      assert.ok(Array.isArray(row));
      return isNew || row[1] === "symlink" ? row : [row[0], row[1], "?"];
    });
    const byPath = ([a]: readonly unknown[], [b]: readonly unknown[]) =>
      String(a) < String(b) ? -1 : 1;
    assert.deepEqual(tree.toSorted(byPath), expected.toSorted(byPath));
    assert.deepEqual([...Deno.readDirSync(base)].map(({ name }) => name).sort(), [
      "neighbour",
      "out",
    ]);
  });
}

function checkPlan(entries: readonly DirEntry[], result: VectorObject): void {
  const planned = planExtraction(entries);
  assert.ok(planned.ok);
  const { plan } = planned;
  const files = [...plan.files, ...plan.repeatedFiles];
  assert.equal(String(files.length), textOf(result, "files"));
  assert.equal(String(files.reduce((sum, { size }) => sum + size, 0)), textOf(result, "bytes"));
  assert.deepEqual(treeOf(plan), listOf(result, "tree"));
}

/** What is on disk afterwards, as the vectors list it. */
function treeOf({ dirs, files, links }: ExtractionPlan): readonly (readonly string[])[] {
  const tree = [
    ...dirs.map((path) => [path, "dir", DIR_MODE]),
    ...[...files].map(({ path, mode }) => [path, "file", (mode ?? FILE_MODE).toString(8)]),
    ...links.map(({ path, target }) => [path, "symlink", target]),
  ];
  return tree.toSorted(([a = ""], [b = ""]) => a < b ? -1 : 1);
}

function checkMode({ pair }: VectorObject): void {
  assert.ok(Array.isArray(pair));
  const mode = fileMode(parseInt(String(pair[0]), 8)) ?? FILE_MODE;
  assert.equal(mode.toString(8), pair[1]);
}

function entriesOf(vector: VectorObject): DirEntry[] {
  return listOf(vector, "entries").map((value): DirEntry => {
    const entry = objectOf(value, "entry");
    const path = textOf(entry, "path");
    const kind = textOf(entry, "kind");
    if (kind === "symlink") return { kind, path, target: textOf(entry, "target") };
    const mode = numberOf(entry, "mode");
    if (kind === "dir") return { kind, path, mode };
    return { kind: "file", path, mode, blob: bytesOf(entry, "blob") };
  });
}
