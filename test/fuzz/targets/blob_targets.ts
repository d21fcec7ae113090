/** References, nodes of trees, manifests of directories: bytes that come with blobs of others. */
import assert from "node:assert/strict";
import {
  createTreeBuilder,
  decodeBlobRef,
  decodeDirManifest,
  decodeTreeNode,
  type DirEntry,
  encodeBlobRef,
  encodeDirManifest,
  encodeTreeNode,
  planExtraction,
  safeNames,
} from "../../../src/blob/mod.ts";
import type { CreateTarget, FuzzTarget } from "../fuzz.ts";
import { FuzzRandom } from "../fuzz_random.ts";

const random = new FuzzRandom(31);
const MIB = 1024 * 1024;

const chunk = (size: number) => ({ hash: random.bytes(32), size });
const codes = { kind: "reed_solomon", data: 2, parity: 1 } as const;

function refs(): Uint8Array[] {
  const encoding = { kind: "replicated" } as const;
  const uri = "mesh://transfer";
  return [
    encodeBlobRef({ kind: "small", uri, hash: random.bytes(32), size: 5 }),
    encodeBlobRef({
      kind: "manifest",
      uri,
      encoding,
      chunks: [chunk(4 * MIB), chunk(4 * MIB), chunk(9)],
      size: 8 * MIB + 9,
    }),
    encodeBlobRef({
      kind: "tree",
      uri,
      encoding: codes,
      rootHash: random.bytes(32),
      size: 1n << 40n,
      depth: 3,
    }),
  ];
}

function refTarget(): FuzzTarget {
  return {
    corpus: refs(),
    feed: (bytes) => {
      const decoded = decodeBlobRef(bytes);
      if (!decoded.ok) return undefined;
      // Trailing bytes and long varints are accepted, so the meaning is compared, not the bytes.
      assert.deepEqual(decodeBlobRef(encodeBlobRef(decoded.ref)), decoded);
      return decoded.ref;
    },
  };
}

function nodes(): Uint8Array[] {
  const builder = createTreeBuilder();
  const built = Array.from({ length: 300 }, () => builder.addChunk(chunk(1 + random.below(MIB))));
  const stripe = [chunk(7), chunk(9), { ...chunk(9), parityIndex: 0 }];
  return [
    ...[...built.flat(), ...builder.finish().nodes].map(({ bytes }) => bytes),
    encodeTreeNode({
      kind: "erasure_leaf",
      stripes: [
        { encoding: codes, chunks: stripe },
        { encoding: { kind: "replicated" }, chunks: [chunk(3)] },
      ],
    }),
  ];
}

function nodeTarget(): FuzzTarget {
  return {
    corpus: nodes(),
    feed: (bytes) => {
      const decoded = decodeTreeNode(bytes);
      if (!decoded.ok) return undefined;
      assert.deepEqual(decodeTreeNode(encodeTreeNode(decoded.node)), decoded);
      return decoded.node;
    },
  };
}

function manifests(): Uint8Array[] {
  const blob = refs()[0] ?? new Uint8Array();
  const entries: DirEntry[] = [
    { kind: "dir", path: "a", mode: 0o40755 },
    { kind: "file", path: "a/b.txt", mode: 0o100644, blob },
    { kind: "symlink", path: "a/l", target: "../c" },
    { kind: "symlink", path: "m", target: "a/l" },
  ];
  return [
    encodeDirManifest([]),
    encodeDirManifest(entries),
    encodeDirManifest(entries.slice(0, 2)),
    encodeDirManifest(entries.slice(2)),
  ];
}

function manifestTarget(): FuzzTarget {
  return {
    corpus: manifests(),
    growth: { factor: 64, base: 1_024 },
    feed: (bytes) => {
      const decoded = decodeDirManifest(bytes);
      if (!decoded.ok) return undefined;
      const { entries } = decoded;
      assert.equal(encodeDirManifest(entries).length <= bytes.length, true);
      for (const platform of ["unix", "windows"] as const) {
        const planned = planExtraction(entries, { platform, foldsNames: platform === "windows" });
        if (!planned.ok) continue;
        const { dirs, files, links } = planned.plan;
        for (const path of [...dirs, ...files.paths, ...links.map((l) => l.path)]) {
          assert.equal(safeNames(path, platform)?.join("/"), path);
        }
      }
      return entries;
    },
  };
}

/** Targets of this file by name. */
export const BLOB_TARGETS: Readonly<Record<string, CreateTarget>> = {
  blob_ref: refTarget,
  blob_tree_node: nodeTarget,
  blob_dir_manifest: manifestTarget,
};
