import assert from "node:assert/strict";
import { systemClock, utf8 } from "../../../src/base/mod.ts";
import {
  AdapterRegistry,
  type BlobAdapter,
  FILE_LEFT_MS,
  openFileAdapter,
  showUri,
  type SmallRef,
} from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { checkAdapter, isKind } from "./compliance.ts";

function refOf(bytes: Uint8Array): SmallRef {
  return { kind: "small", uri: "file:///x", hash: blake3(bytes), size: bytes.length };
}

async function withAdapter(
  run: (adapter: BlobAdapter, folder: string, pathOf: (ref: SmallRef) => string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const pathOf = ({ hash }: SmallRef) => `${folder}/${hash.toHex().slice(0, 2)}/${hash.toHex()}`;
  try {
    await run(await openFileAdapter({ id: "disk", folder, clock: systemClock }), folder, pathOf);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the file adapter keeps what adapters promise", () =>
  withAdapter((adapter) => checkAdapter(adapter)));

Deno.test("the file adapter sweeps what calls of dead processes left, and nothing else", () =>
  withAdapter(async (adapter, folder, pathOf) => {
    const ref = refOf(utf8("kept"));
    await adapter.store(ref, utf8("kept"));
    const old = new Date(Date.now() - FILE_LEFT_MS - 60_000);
    const write = async (name: string, time: Date) => {
      const path = `${folder}/${ref.hash.toHex().slice(0, 2)}/${name}`;
      await Deno.writeTextFile(path, "x");
      await Deno.utime(path, time, time);
    };
    const hex = ref.hash.toHex();
    await write(`${hex}.12-0-1700000000000000000.tmp`, old);
    await write(`${hex}.12-1-1700000000000000000.tmp`, new Date());
    await write("notes.tmp", old);
    await Deno.utime(pathOf(ref), old, old);
    assert.equal(await adapter.sweep?.(), 1);
    assert.equal(await adapter.sweep?.(), 0);
    assert.deepEqual(await adapter.fetch(ref), utf8("kept"));
    const names = [...Deno.readDirSync(`${folder}/${hex.slice(0, 2)}`)].map(({ name }) => name);
    assert.deepEqual(
      names.sort(),
      [
        hex,
        `${hex}.12-1-1700000000000000000.tmp`,
        "notes.tmp",
      ].sort(),
    );
  }));

Deno.test("a range of a damaged file is refused as the whole is, and storing it again repairs it", () =>
  withAdapter(async (adapter, _folder, pathOf) => {
    const bytes = new Uint8Array(300_000).fill(5);
    const ref = refOf(bytes);
    await adapter.store(ref, bytes);
    const damaged = bytes.slice();
    damaged[299_999] = 4;
    await Deno.writeFile(pathOf(ref), damaged);
    await assert.rejects(adapter.fetchRange(ref, 0, 10), isKind("hash_mismatch"));
    await adapter.store(ref, bytes);
    assert.deepEqual(await adapter.fetchRange(ref, 0, 2), Uint8Array.of(5, 5));
  }));

Deno.test("a folder in the place of a blob counts as none, and links do not lead out", () =>
  withAdapter(async (adapter, folder, pathOf) => {
    const [ref, linked] = [refOf(utf8("a")), refOf(utf8("b"))];
    await Deno.mkdir(pathOf(ref), { recursive: true });
    assert.equal(await adapter.exists(ref), false);
    const outside = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${outside}/${linked.hash.toHex()}`, "b");
      await Deno.symlink(outside, `${folder}/${linked.hash.toHex().slice(0, 2)}`);
      await assert.rejects(adapter.fetch(linked), isKind("backend"));
      await assert.rejects(adapter.store(linked, utf8("b")), isKind("backend"));
      await assert.rejects(adapter.delete(linked), isKind("backend"));
      assert.equal(await Deno.readTextFile(`${outside}/${linked.hash.toHex()}`), "b");
    } finally {
      await Deno.remove(outside, { recursive: true });
    }
  }));

Deno.test("two hundred calls at once are all answered, and leave no temporary file", () =>
  withAdapter(async (adapter, folder) => {
    const refs = Array.from({ length: 100 }, (_, i) => utf8(`blob ${i % 50}`));
    await Promise.all(refs.map((bytes) => adapter.store(refOf(bytes), bytes)));
    const back = await Promise.all(refs.map((bytes) => adapter.fetch(refOf(bytes))));
    assert.deepEqual(back, refs);
    for await (const { name } of Deno.readDir(folder)) {
      for await (const file of Deno.readDir(`${folder}/${name}`)) {
        assert.match(file.name, /^[0-9a-f]{64}$/);
      }
    }
  }));

Deno.test("payloads that are no references pass through, and bad references do not", () =>
  withAdapter(async (adapter) => {
    const registry = new AdapterRegistry();
    registry.register(adapter);
    assert.deepEqual(registry.ids, ["disk"]);
    assert.deepEqual(await registry.resolve("disk", utf8("inline")), utf8("inline"));
    const cut = Uint8Array.of(0xb0, 0xb1, 0xb2, 0xb3);
    await assert.rejects(registry.resolve("disk", cut), isKind("decode"));
    assert.ok(registry.unregister("disk") && !registry.unregister("disk"));
    await assert.rejects(registry.resolve("disk", cut), isKind("adapter_not_registered"));
  }));

Deno.test("showUri() cuts at a letter and shows what is not printable", () => {
  assert.equal(showUri("file:\n\u0085"), "file:\\x0a\\x85");
  assert.equal(showUri("é".repeat(200)), `${"é".repeat(128)}…`);
  assert.equal(showUri("a".repeat(256)), "a".repeat(256));
});
