import assert from "node:assert/strict";
import fc from "fast-check";
import {
  compareUtf8,
  decodeDirManifest,
  type DirEntry,
  encodeDirManifest,
} from "../../../src/blob/mod.ts";
import { utf8 } from "../../../src/base/mod.ts";

const plain = { noNullPrototype: true };
const path = fc.string({ unit: "grapheme", maxLength: 20 });
const mode = fc.integer({ min: 0, max: 0xffff_ffff });
const entry: fc.Arbitrary<DirEntry> = fc.oneof(
  fc.record({
    kind: fc.constant("file" as const),
    path,
    mode,
    blob: fc.uint8Array({ maxLength: 60 }).map((bytes) => new Uint8Array(bytes)),
  }, plain),
  fc.record({ kind: fc.constant("dir" as const), path, mode }, plain),
  fc.record({ kind: fc.constant("symlink" as const), path, target: path }, plain),
);
const entries = fc.uniqueArray(entry, { selector: (entry) => entry.path, maxLength: 20 });

Deno.test("encodeDirManifest() sorts by UTF-8 and round-trips through decodeDirManifest()", () => {
  fc.assert(fc.property(entries, (list) => {
    const bytes = encodeDirManifest(list);
    assert.deepEqual(encodeDirManifest(list.toReversed()), bytes);
    const decoded = decodeDirManifest(bytes);
    assert.ok(decoded.ok);
    assert.deepEqual(decoded.entries, list.toSorted((a, b) => compareUtf8(a.path, b.path)));
  }));
});

Deno.test("compareUtf8() is the order of the bytes", () => {
  const unit = fc.constantFrom(
    "a",
    "b",
    "\u00e9",
    "\ud7ff",
    "\ue000",
    "\uffff",
    "\u{1f600}",
    "\u{10ffff}",
  );
  const text = fc.string({ unit, maxLength: 6 });
  fc.assert(fc.property(text, text, (a, b) => {
    const [left, right] = [utf8(a).toHex(), utf8(b).toHex()];
    assert.equal(Math.sign(compareUtf8(a, b)), left < right ? -1 : left > right ? 1 : 0);
  }));
});

Deno.test("decodeDirManifest() never throws, whatever the bytes", () => {
  fc.assert(fc.property(entries, fc.nat(), fc.nat(), fc.nat(), (list, at, value, cut) => {
    const bytes = encodeDirManifest(list);
    bytes[at % bytes.length] = value;
    decodeDirManifest(bytes.subarray(0, cut % (bytes.length + 1)));
  }));
});

Deno.test("decodeDirManifest() refuses a count that the bytes cannot hold, and other versions", () => {
  assert.deepEqual(decodeDirManifest(Uint8Array.fromHex("01ffffffff0f0161")), {
    ok: false,
    fault: "postcard_eof",
  });
  assert.deepEqual(decodeDirManifest(Uint8Array.fromHex("0200")), {
    ok: false,
    fault: "unsupported_version",
    version: 2,
  });
  assert.deepEqual(decodeDirManifest(Uint8Array.fromHex("010101610300")), {
    ok: false,
    fault: "postcard_enum",
  });
});

Deno.test("encodeDirManifest() refuses modes beyond 32 bits", () => {
  for (const mode of [-1, 1.5, 2 ** 32]) {
    assert.throws(() => encodeDirManifest([{ kind: "dir", path: "a", mode }]), RangeError);
  }
});
