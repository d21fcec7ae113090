/** Blobs to folders and back: every kind, both layouts, damage and lies. */
import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import {
  type ChunkFolderFormat,
  encodeBlobRef,
  parsePutForm,
  PLAIN_FORM,
  putFolder,
  type StoredBlob,
} from "../../../src/blob/mod.ts";
import { createMetricRegistry, silentLog } from "../../../src/observe/mod.ts";
import { ExchangeService, openStorage } from "../../../src/services/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { bytesSource, seededBytes } from "../sources.ts";

const MIB = 1024 * 1024;
const PAYLOAD = seededBytes(9 * MIB + 17);

async function openNode() {
  const clock = new ManualClock();
  const deps = { clock, log: silentLog, metrics: createMetricRegistry() };
  const storage = await openStorage(deps, undefined);
  return { storage, exchange: new ExchangeService({ clock, storage }), clock };
}

type TestNode = Awaited<ReturnType<typeof openNode>>;

async function withNodes(
  action: (from: TestNode, to: TestNode, folder: string) => Promise<void>,
): Promise<void> {
  const above = await Deno.makeTempDir({ prefix: "net_exchange_" });
  const [from, to] = [await openNode(), await openNode()];
  try {
    await action(from, to, `${above}/out`);
  } finally {
    await from.storage.stop();
    await to.storage.stop();
    await Deno.remove(above, { recursive: true });
  }
}

/** One of each kind. */
async function putAll({ storage: { blobs } }: TestNode): Promise<StoredBlob[]> {
  const put = (bytes: Uint8Array, form = PLAIN_FORM) =>
    blobs.put(bytesSource(bytes), { form, label: `of ${bytes.length}` });
  return [
    await put(new Uint8Array(0)),
    await put(PAYLOAD.subarray(0, 1000)),
    await put(PAYLOAD),
    await put(PAYLOAD.subarray(1), parsePutForm(PLAIN_FORM, { cdc: true })),
    await put(PAYLOAD.subarray(2), parsePutForm(PLAIN_FORM, { ec: "2+1" })),
  ];
}

async function sameAs(from: TestNode, to: TestNode, blob: StoredBlob): Promise<void> {
  const [ours, theirs] = [
    await from.storage.blobs.stat(blob.hash),
    await to.storage.blobs.stat(blob.hash),
  ];
  assert.deepEqual({ ...theirs, createdAtMs: 0 }, { ...ours, createdAtMs: 0 });
}

for (const format of ["plain", "redex"] as const satisfies readonly ChunkFolderFormat[]) {
  Deno.test(`blobs of every kind go to a ${format} folder and come back the same`, () =>
    withNodes(async (from, to, folder) => {
      const blobs = await putAll(from);
      const first = await from.exchange.export(folder, undefined, { format });
      assert.equal(first.exported.length, blobs.length);
      const again = await from.exchange.export(folder, [blobs[2]?.address ?? ""]);
      assert.equal(again.format, format);
      assert.equal(again.exported[0]?.present, again.exported[0]?.chunks);
      const taken = await to.exchange.import(folder, undefined);
      assert.equal(taken.format, format);
      assert.deepEqual(taken.failures, []);
      for (const blob of blobs) await sameAs(from, to, blob);
      // Once more changes nothing.
      assert.equal((await to.exchange.import(folder, undefined)).stored.length, blobs.length);
      assert.equal((await to.storage.blobs.list()).blobs.length, blobs.length);
    }));
}

Deno.test("a directory comes back with the chunks of its files", () =>
  withNodes(async (from, to, folder) => {
    const source = await Deno.makeTempDir();
    for (let i = 0; i < 20; i++) await Deno.writeFile(`${source}/f${i}`, seededBytes(2_000, i + 1));
    const { stored } = await putFolder({ store: from.storage.blobs, clock: from.clock }, source);
    await Deno.remove(source, { recursive: true });
    await from.exchange.export(folder, [stored.address]);
    const { failures } = await to.exchange.import(folder, undefined);
    assert.deepEqual(failures, []);
    await sameAs(from, to, stored);
    assert.equal((await to.storage.blobs.stat(stored.hash))?.kind, "directory");
  }));

Deno.test("an import says which blob is not whole, takes the others, and believes nothing", () =>
  withNodes(async (from, to, folder) => {
    const blobs = await putAll(from);
    const [, small, manifest, , ec] = blobs;
    assert.ok(small !== undefined && manifest?.ref.kind === "manifest" && ec !== undefined);
    await from.exchange.export(folder, undefined);
    const path = (hash: Uint8Array) => `${folder}/${hash.toHex().slice(0, 2)}/${hash.toHex()}`;
    const damage = async (file: string) => {
      const bytes = await Deno.readFile(file);
      bytes[10] = (bytes[10] ?? 0) ^ 1;
      await Deno.writeFile(file, bytes);
    };
    await damage(path(manifest.ref.chunks[1]?.hash ?? small.hash));
    // A note that calls one blob by the name of another.
    await Deno.copyFile(
      `${folder}/net-blobs/${small.hash.toHex()}`,
      `${folder}/net-blobs/${"ab".repeat(32)}`,
    );
    await Deno.writeTextFile(`${folder}/net-blobs/${"cd".repeat(32)}`, "{}\nnonsense");
    const { stored, failures } = await to.exchange.import(folder, undefined);
    assert.deepEqual(
      failures.map(({ target, error }) => `${target} ${error.code}`).sort(),
      [
        `b3:${"ab".repeat(32)} integrity`,
        `b3:${"cd".repeat(32)} integrity`,
        `${manifest.address} integrity`,
      ].sort(),
    );
    assert.equal(stored.length, 4);
    assert.equal(await to.storage.blobs.stat(manifest.hash), undefined);
    await sameAs(from, to, small);
  }));

Deno.test("lost data of stripes is made from the others while it is imported", () =>
  withNodes(async (from, to, folder) => {
    const [, , , , ec] = await putAll(from);
    assert.ok(ec !== undefined);
    await from.exchange.export(folder, [ec.address]);
    let removed = 0;
    for await (const shard of Deno.readDir(folder)) {
      if (shard.name.length !== 2) continue;
      for await (const { name } of Deno.readDir(`${folder}/${shard.name}`)) {
        const file = `${folder}/${shard.name}/${name}`;
        if (removed > 0 || (await Deno.stat(file)).size !== 4 * MIB) continue;
        await Deno.remove(file);
        removed += 1;
      }
    }
    assert.equal(removed, 1);
    const { failures } = await to.exchange.import(folder, undefined);
    assert.deepEqual(failures, []);
    assert.ok(await to.storage.blobs.stat(ec.hash) !== undefined);
  }));

Deno.test("without notes a reference is enough, or every chunk is a blob of its own", () =>
  withNodes(async (from, to, folder) => {
    const [, small, manifest] = await putAll(from);
    assert.ok(small !== undefined && manifest !== undefined);
    await from.exchange.export(folder, [small.address, manifest.address]);
    await Deno.remove(`${folder}/net-blobs`, { recursive: true });
    const { stored } = await to.exchange.import(folder, [encodeBlobRef(manifest.ref).toHex()]);
    assert.deepEqual(stored.map(({ address }) => address), [manifest.address]);
    const unknown = await to.exchange.import(folder, [small.address]);
    assert.equal(unknown.failures[0]?.error.code, "not_found");
    const all = await to.exchange.import(folder, undefined);
    assert.equal(all.stored.length, 4);
    assert.ok(await to.storage.blobs.stat(small.hash) !== undefined);
  }));

Deno.test("an export of what is not here says so", () =>
  withNodes(async (from, _, folder) => {
    await assert.rejects(
      from.exchange.export(folder, [`b3:${"ab".repeat(32)}`]),
      (error) =>
        error instanceof NetError && error.code === "not_found" && error.next !== undefined,
    );
  }));
