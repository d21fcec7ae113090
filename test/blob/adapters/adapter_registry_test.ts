import assert from "node:assert/strict";
import { systemClock, utf8 } from "../../../src/base/mod.ts";
import {
  AdapterRegistry,
  type BlobAdapter,
  ChannelAdapters,
  createNoopAdapter,
  encodeBlobRef,
  openFileAdapter,
} from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { isKind, smallRef } from "./compliance.ts";

/** Keeps blobs in memory, under any hash it is given. */
function memoryAdapter(id: string, schemes: readonly string[]): BlobAdapter & {
  readonly blobs: Map<string, Uint8Array>;
} {
  const blobs = new Map<string, Uint8Array>();
  return {
    ...createNoopAdapter(id, schemes),
    blobs,
    store: (ref, bytes) => {
      if (ref.kind === "small") blobs.set(ref.hash.toHex(), bytes);
      return Promise.resolve();
    },
    fetch: (ref) => {
      const bytes = ref.kind === "small" ? blobs.get(ref.hash.toHex()) : undefined;
      return Promise.resolve(new Uint8Array(bytes ?? []));
    },
  };
}

Deno.test("a reference is read by the adapter of its scheme, the first one of it", async () => {
  const registry = new AdapterRegistry();
  const [first, second] = [
    memoryAdapter("first", ["cold", "cool"]),
    memoryAdapter("second", ["cold"]),
  ];
  registry.register(createNoopAdapter("any"));
  registry.register(first);
  registry.register(second);
  assert.equal(registry.forUri("cold:x").id, "first");
  assert.equal(registry.forUri("cool://x").id, "first");
  for (const uri of ["warm:x", "nothing", ":x", ""]) {
    assert.throws(() => registry.forUri(uri), isKind("unsupported_scheme"), uri);
  }
  const payload = await registry.publish("first", "cold:x", utf8("bytes"));
  assert.deepEqual(await registry.resolveByScheme(payload), utf8("bytes"));
  assert.deepEqual(await registry.resolveByScheme(utf8("inline")), utf8("inline"));
});

Deno.test("what an adapter gives is believed by its hash alone", async () => {
  const registry = new AdapterRegistry();
  const liar = memoryAdapter("liar", ["cold"]);
  registry.register(liar);
  const payload = await registry.publish("liar", "cold:x", utf8("bytes"));
  liar.blobs.set(blake3(utf8("bytes")).toHex(), utf8("other"));
  await assert.rejects(registry.resolveByScheme(payload), isKind("hash_mismatch"));
});

Deno.test("a channel's configuration cannot have a reference read from elsewhere", async () => {
  const registry = new AdapterRegistry();
  const [cold, trap] = [memoryAdapter("cold", ["cold"]), memoryAdapter("trap", ["trap"])];
  registry.register(cold);
  registry.register(trap);
  const channels = new ChannelAdapters(registry);
  channels.choose("news", { adapterId: "cold" });
  const payload = await channels.publish("news", "cold:x", utf8("bytes"));
  // Whoever may write the configuration points the channel at another adapter.
  channels.choose("news", { adapterId: "trap" });
  assert.deepEqual(await channels.resolve("news", payload), utf8("bytes"));
  await assert.rejects(
    channels.publish("news", "cold:x", utf8("more")),
    isKind("unsupported_scheme"),
  );
});

Deno.test("channels without an adapter publish no blobs, but read all the same", async () => {
  const registry = new AdapterRegistry();
  registry.register(memoryAdapter("cold", ["cold"]));
  const channels = new ChannelAdapters(registry);
  await assert.rejects(
    channels.publish("news", "cold:x", utf8("a")),
    isKind("adapter_not_configured"),
  );
  assert.throws(
    () => channels.choose("news", { adapterId: "nobody" }),
    isKind("adapter_not_registered"),
  );
  assert.deepEqual(await channels.resolve("news", utf8("inline")), utf8("inline"));
  channels.choose("news", { adapterId: "cold" });
  const payload = await channels.publish("news", "cold:x", utf8("a"));
  registry.unregister("cold");
  await assert.rejects(
    channels.publish("news", "cold:x", utf8("a")),
    isKind("adapter_not_registered"),
  );
  await assert.rejects(channels.resolve("news", payload), isKind("unsupported_scheme"));
  channels.choose("news", undefined);
  assert.throws(() => channels.publisherOf("news"), isKind("adapter_not_configured"));
});

Deno.test("a channel may have a registry of its own", async () => {
  const own = new AdapterRegistry();
  own.register(memoryAdapter("private", ["cold"]));
  const channels = new ChannelAdapters(new AdapterRegistry());
  channels.choose("secret", { registry: own, adapterId: "private" });
  const payload = await channels.publish("secret", "cold:x", utf8("a"));
  assert.deepEqual(await channels.resolve("secret", payload), utf8("a"));
  await assert.rejects(channels.resolve("open", payload), isKind("unsupported_scheme"));
});

Deno.test("a folder in the place of a blob is no blob for those who resolve it", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const registry = new AdapterRegistry();
    registry.register(await openFileAdapter({ id: "disk", folder, clock: systemClock }));
    const ref = smallRef(utf8("a"));
    const hex = ref.hash.toHex();
    await Deno.mkdir(`${folder}/${hex.slice(0, 2)}/${hex}`, { recursive: true });
    await assert.rejects(registry.resolveByScheme(encodeBlobRef(ref)), isKind("not_found"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
