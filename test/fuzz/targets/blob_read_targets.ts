/** Reads of what others made: trees whose nodes are hostile, and lists of folders, page by page. */
import assert from "node:assert/strict";
import { NetError, toHex } from "../../../src/base/mod.ts";
import {
  createTreeBuilder,
  decodeDirManifest,
  decodeTreeNode,
  type DirEntry,
  encodeBlobRef,
  encodeDirManifest,
  encodeTreeNode,
  findFile,
  type FolderCursor,
  type FolderPage,
  listFolder,
  type TreeRef,
  walkTreeChunks,
} from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import type { CreateTarget, FuzzTarget } from "../fuzz.ts";
import { FuzzRandom } from "../fuzz_random.ts";

const random = new FuzzRandom(77);

/** What comes of a target that waits is seen when it settles; the first that failed is told. */
class Reads {
  #pending: Promise<unknown>[] = [];

  add(read: Promise<unknown>): void {
    read.catch(() => {}); // Seen in a moment.
    this.#pending.push(read);
  }

  async settle(): Promise<void> {
    await Promise.all(this.#pending.splice(0));
  }
}

/** Ends a read that may fail in the ways it says, and in no other. */
async function unlessRefused<T>(read: () => Promise<T>, codes: readonly string[]) {
  try {
    return await read();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    assert.ok(error instanceof NetError, String(error));
    assert.ok(codes.includes(error.code), error.code);
    return undefined;
  }
}

function treeReadTarget(): FuzzTarget {
  const builder = createTreeBuilder();
  const chunk = () => ({ hash: random.bytes(32), size: 1 + random.below(1_000) });
  const built = Array.from({ length: 300 }, () => builder.addChunk(chunk())).flat();
  built.push(...builder.finish().nodes);
  const parity = { ...chunk(), size: 9, parityIndex: 0 };
  const stripes = [{
    encoding: { kind: "reed_solomon", data: 2, parity: 1 },
    chunks: [{ ...chunk(), size: 9 }, { ...chunk(), size: 4 }, parity],
  }] as const;
  const nodes = [
    ...built.map(({ bytes }) => bytes),
    encodeTreeNode({ kind: "erasure_leaf", stripes }),
  ];
  const known = new Map(nodes.map((bytes) => [toHex(blake3(bytes)), bytes]));
  const reads = new Reads();
  return {
    corpus: nodes,
    feed: (bytes, choices) => {
      const rootHash = blake3(bytes);
      const decoded = decodeTreeNode(bytes);
      const covered = decoded.ok ? sizeOf(decoded.node) : BigInt(1 + choices.below(5_000));
      const size = choices.below(8) === 0 ? covered + 1n : covered;
      const ref: TreeRef = {
        kind: "tree",
        uri: "",
        encoding: { kind: "replicated" },
        rootHash,
        size,
        depth: 1 + choices.below(3),
      };
      const [a, b] = [choices.below(10_000), choices.below(10_000)].map((at) =>
        BigInt(at) % (size + 1n)
      );
      const [start = 0n, end = 0n] = (a ?? 0n) < (b ?? 0n) ? [a, b] : [b, a];
      let nodesRead = 0;
      const readNode = (hash: Uint8Array) => {
        nodesRead += 1;
        const key = toHex(hash);
        return Promise.resolve(key === toHex(rootHash) ? bytes : known.get(key));
      };
      const walk = async () => {
        let at = start;
        const walked = walkTreeChunks(ref, { readNode, range: { start, end } });
        for await (const { offset, from, to, chunk } of walked) {
          assert.ok(from >= 0 && from < to && to <= chunk.size);
          assert.equal(offset + BigInt(from), at, "in order, and without a gap");
          at += BigInt(to - from);
        }
        assert.equal(at, end);
        // A hostile tree may list one node often, but not more often than it has places.
        assert.ok(nodesRead <= 1 + 128 + 128 ** 2);
      };
      reads.add(unlessRefused(walk, ["integrity", "not_found"]));
      return decoded.ok ? true : undefined;
    },
    settle: () => reads.settle(),
  };
}

function sizeOf(node: Extract<ReturnType<typeof decodeTreeNode>, { ok: true }>["node"]): bigint {
  if (node.kind === "internal") return node.children.reduce((sum, { size }) => sum + size, 0n);
  const chunks = node.kind === "leaf" ? node.chunks : node.stripes.flatMap((each) => each.chunks);
  return chunks.reduce((sum, { size, parityIndex }) => {
    return node.kind === "erasure_leaf" && parityIndex !== undefined ? sum : sum + BigInt(size);
  }, 0n);
}

function folderListTarget(): FuzzTarget {
  const blob = encodeBlobRef({ kind: "small", uri: "mesh://x", hash: random.bytes(32), size: 5 });
  const entries: DirEntry[] = [
    { kind: "dir", path: "a", mode: 0o40755 },
    { kind: "file", path: "a/b.txt", mode: 0o100644, blob },
    { kind: "symlink", path: "a/l", target: "../c" },
    { kind: "file", path: "b", mode: 0o100600, blob },
  ];
  const reads = new Reads();
  return {
    corpus: [
      encodeDirManifest([]),
      encodeDirManifest(entries),
      encodeDirManifest(entries.slice(1, 3)),
    ],
    feed: (bytes, choices) => {
      const decoded = decodeDirManifest(bytes);
      const path = ["", "a", "a/b.txt", "b", "none"][choices.below(5)] ?? "";
      const list = async () => {
        const found: DirEntry[] = [];
        let after: FolderCursor | undefined;
        do {
          const page: FolderPage = await listFolder(bytes, path, after);
          found.push(...page.entries);
          after = page.next;
        } while (after !== undefined);
        return found;
      };
      reads.add((async () => {
        const found = await unlessRefused(list, ["integrity", "not_found"]);
        if (!decoded.ok) return assert.equal(found, undefined);
        const expected = decoded.entries.filter((entry) =>
          path === "" || entry.path === path || entry.path.startsWith(`${path}/`)
        );
        assert.deepEqual(found ?? [], expected);
      })());
      reads.add(unlessRefused(() => findFile(bytes, path), ["integrity", "not_found", "usage"]));
      // A cursor comes back from whoever asked, and may be anything.
      const after = { index: choices.below(6), at: choices.below(bytes.length + 4) };
      reads.add(unlessRefused(() => listFolder(bytes, path, after), ["integrity", "not_found"]));
      return decoded.ok ? true : undefined;
    },
    settle: () => reads.settle(),
  };
}

/** Targets of this file by name. */
export const BLOB_READ_TARGETS: Readonly<Record<string, CreateTarget>> = {
  blob_tree_read: treeReadTarget,
  blob_folder_list: folderListTarget,
};
