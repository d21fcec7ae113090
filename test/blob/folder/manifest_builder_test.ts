import assert from "node:assert/strict";
import fc from "fast-check";
import {
  compareUtf8,
  type DirEntry,
  encodeBlobRef,
  encodeDirManifest,
  formatMeshUri,
  ManifestBuilder,
} from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { concatBytes, utf8 } from "../../../src/base/mod.ts";

const path = fc.string({ unit: "grapheme", maxLength: 20 });
const mode = fc.integer({ min: 0, max: 0xffff_ffff });
const item = fc.oneof(
  fc.record({ kind: fc.constant("file" as const), path, mode, size: fc.nat({ max: 2 ** 34 }) }),
  fc.record({ kind: fc.constant("dir" as const), path, mode }),
  fc.record({ kind: fc.constant("symlink" as const), path, target: path }),
);

Deno.test("ManifestBuilder gives the bytes of encodeDirManifest()", () => {
  fc.assert(fc.property(fc.uniqueArray(item, { selector: ({ path }) => path }), (items) => {
    const builder = new ManifestBuilder();
    const entries: DirEntry[] = [];
    for (const each of items.toSorted((a, b) => compareUtf8(a.path, b.path))) {
      const { path } = each;
      if (each.kind === "dir") {
        builder.addDir(path, each.mode);
        entries.push({ kind: "dir", path, mode: each.mode });
      } else if (each.kind === "symlink") {
        builder.addSymlink(path, each.target);
        entries.push({ kind: "symlink", path, target: each.target });
      } else {
        const { mode, size } = each;
        const hash = blake3(utf8(path));
        const ref = { kind: "small", uri: formatMeshUri(hash), hash, size } as const;
        if (size % 2 === 0) builder.addSmallFile(path, mode, hash, 0, size);
        else builder.addFile(path, mode, ref);
        entries.push({ kind: "file", path, mode, blob: encodeBlobRef(ref) });
      }
    }
    assert.equal(builder.entries, entries.length);
    assert.equal(concatBytes(...builder.finish()).toHex(), encodeDirManifest(entries).toHex());
  }));
});
