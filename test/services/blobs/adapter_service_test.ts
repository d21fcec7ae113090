import assert from "node:assert/strict";
import { NetError, systemClock, systemRandom, utf8 } from "../../../src/base/mod.ts";
import {
  CHUNK_BYTES,
  createNoopAdapter,
  decodeBlobRef,
  encodeBlobRef,
  parseBlobTarget,
} from "../../../src/blob/mod.ts";
import { createMetricRegistry, silentLog } from "../../../src/observe/mod.ts";
import {
  AdapterService,
  type AdapterSpec,
  BlobService,
  createAdapterMemory,
  openStorage,
  type Storage,
} from "../../../src/services/mod.ts";
import { isKind, pieces, smallRef } from "../../blob/adapters/compliance.ts";
import { startS3Server, TEST_KEYS } from "../../blob/adapters/s3/s3_server.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

interface Kit extends AsyncDisposable {
  readonly folder: string;
  readonly storage: Storage;
  readonly service: AdapterService;
  readonly events: Map<string, Uint8Array>;
  /** Another service on the same records, as after a restart. */
  restart(): Promise<AdapterService>;
}

async function open(env: Readonly<Record<string, string>> = {}): Promise<Kit> {
  const deps = { clock: systemClock, log: silentLog, metrics: createMetricRegistry() };
  const folder = await Deno.makeTempDir();
  const storage = await openStorage(deps, undefined);
  const blobs = new BlobService({ ...deps, storage, mesh: undefined });
  const events = new Map<string, Uint8Array>();
  const make = async () => {
    const service = new AdapterService({
      ...deps,
      random: systemRandom,
      memory: createAdapterMemory(storage.ledger),
      store: storage.blobs,
      blobs,
      logs: {
        read: (channel, seq) => {
          const payload = events.get(`${channel} ${seq}`);
          return Promise.resolve(payload && { kind: "event", seq, payload, timeNs: 0n });
        },
        append: (channel, payloads) => {
          const seq = BigInt(events.size);
          for (const payload of payloads) events.set(`${channel} ${events.size}`, payload);
          const token = { origin: 0n, seq };
          const count = payloads.length;
          return Promise.resolve({
            first: seq,
            last: seq,
            count,
            token,
            nextSeq: seq,
            persistedSeq: seq,
          });
        },
      },
      readEnv: () => env,
    });
    await service.start();
    return service;
  };
  const service = await make();
  return {
    folder,
    storage,
    service,
    events,
    restart: async () => {
      await service.stop();
      return await make();
    },
    [Symbol.asyncDispose]: async () => {
      await service.stop();
      await storage.stop();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof NetError && error.code === code;
}

const fileSpec = (kit: Kit, id = "disk"): AdapterSpec => ({
  kind: "file",
  id,
  folder: `${kit.folder}/${id}`,
});

Deno.test("AdapterService copies blobs to a folder and back, whatever their length", async () => {
  await using kit = await open();
  await kit.service.add(fileSpec(kit));
  for (const length of [0, 1_000, 2 * CHUNK_BYTES + 9]) {
    const bytes = new Uint8Array(length).map((_, i) => i * 13 + (i >>> 11));
    const { address, hash } = await kit.storage.blobs.put(pieces(bytes));
    const pushed = await kit.service.push("disk", parseBlobTarget(address));
    assert.equal(pushed.address, address);
    const decoded = decodeBlobRef(pushed.blobRef);
    assert.ok(decoded.ok && decoded.ref.kind === "small" && decoded.ref.size === length);
    const hex = hash.toHex();
    assert.deepEqual(await Deno.readFile(`${kit.folder}/disk/${hex.slice(0, 2)}/${hex}`), bytes);
    await kit.storage.blobs.remove(hash);
    const stored = await kit.service.pull("disk", hash);
    assert.deepEqual([stored.address, stored.size], [address, length]);
  }
});

Deno.test("AdapterService keeps nothing of what an adapter gives under another hash", async () => {
  await using kit = await open();
  await kit.service.add(fileSpec(kit));
  const { hash } = smallRef(utf8("right"));
  const hex = hash.toHex();
  await Deno.mkdir(`${kit.folder}/disk/${hex.slice(0, 2)}`, { recursive: true });
  await Deno.writeTextFile(`${kit.folder}/disk/${hex.slice(0, 2)}/${hex}`, "wrong");
  await assert.rejects(kit.service.pull("disk", hash), isKind("hash_mismatch"));
  await assert.rejects(kit.service.pull("disk", new Uint8Array(32)), isKind("not_found"));
  assert.equal((await kit.storage.blobs.list()).blobs.length, 0);
  const target = { kind: "address", hash: new Uint8Array(32) } as const;
  await assert.rejects(kit.service.push("disk", target), isCode("not_found"));
});

Deno.test("AdapterService copies to a bucket with the credentials of the environment", async () => {
  await using server = startS3Server("bucket");
  const { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY } = TEST_KEYS;
  await using kit = await open({ AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY });
  const { endpoint } = server;
  await kit.service.add({
    kind: "s3",
    id: "cold",
    bucket: "bucket",
    region: "eu-x",
    endpoint,
    prefix: "n/",
  });
  await kit.service.check("cold");
  assert.equal(server.objects.size, 0);
  const bytes = new Uint8Array(9 * 1024 * 1024).map((_, i) => i >>> 8);
  const { address, hash } = await kit.storage.blobs.put(pieces(bytes));
  const { uri } = await kit.service.push("cold", parseBlobTarget(address));
  const hex = hash.toHex();
  assert.equal(uri, `s3://bucket/n/${hex.slice(0, 2)}/${hex}`);
  await kit.storage.blobs.remove(hash);
  assert.equal((await kit.service.pull("cold", hash)).size, bytes.length);
  assert.deepEqual(server.refused, []);
  const kept = JSON.stringify(await createAdapterMemory(kit.storage.ledger).read());
  assert.ok(!kept.includes(TEST_KEYS.secretAccessKey) && !kept.includes(TEST_KEYS.accessKeyId));
});

Deno.test("AdapterService says what is wrong with a bucket without credentials", async () => {
  await using kit = await open();
  await kit.service.add({ kind: "s3", id: "cold", bucket: "bucket", region: "us-east-1" });
  await assert.rejects(kit.service.check("cold"), isKind("unauthorized"));
});

Deno.test("AdapterService remembers adapters and choices, and lists one that broke beside the others", async () => {
  await using kit = await open();
  await kit.service.add(fileSpec(kit));
  await kit.service.add(fileSpec(kit, "gone"));
  await kit.service.choose("news", "disk");
  await Deno.remove(`${kit.folder}/gone`, { recursive: true });
  await Deno.writeTextFile(`${kit.folder}/gone`, "a file where the folder was");
  const again = await kit.restart();
  try {
    const states = again.list().map(({ id, error }) => [id, error === undefined]);
    assert.deepEqual(states, [["mesh", true], ["disk", true], ["gone", false]]);
    assert.deepEqual(again.choices(), { news: "disk" });
    assert.equal(again.channels.publisherOf("news").id, "disk");
    assert.equal(again.health().state, "degraded");
    await assert.rejects(again.check("gone"), isKind("backend"));
    await again.check("disk");
    await again.remove("gone");
    assert.equal(again.health().state, "healthy");
  } finally {
    await again.stop();
  }
});

Deno.test("AdapterService refuses names that are taken, unknown or in use", async () => {
  await using kit = await open();
  await kit.service.add(fileSpec(kit));
  await assert.rejects(kit.service.add(fileSpec(kit)), isCode("conflict"));
  await assert.rejects(kit.service.add({ kind: "noop", id: "mesh" }), isCode("conflict"));
  await assert.rejects(kit.service.choose("news", "nobody"), isCode("not_found"));
  await kit.service.choose("news", "disk");
  await assert.rejects(kit.service.remove("disk"), isCode("conflict"));
  await kit.service.choose("news", undefined);
  await kit.service.remove("disk");
  await assert.rejects(kit.service.remove("disk"), isCode("not_found"));
  await assert.rejects(kit.service.remove("mesh"), isCode("usage"));
  await assert.rejects(
    kit.service.add({ kind: "s3", id: "x", bucket: "../x", region: "us-east-1" }),
    isKind("backend"),
  );
  assert.deepEqual(kit.service.list().map(({ id }) => id), ["mesh"]);
});

Deno.test("AdapterService resolves events by their number: inline as they are, references by scheme", async () => {
  await using kit = await open();
  await kit.service.add(fileSpec(kit));
  await kit.service.choose("news", "disk");
  kit.events.set("news 0", utf8("inline"));
  kit.events.set("news 1", await kit.service.channels.publish("news", "file:///x", utf8("far")));
  kit.events.set("news 2", encodeBlobRef(smallRef(utf8("far"), "ftp")));
  kit.events.set("news 3", encodeBlobRef(smallRef(utf8("nowhere"), "file")));
  const { blobRef } = await kit.storage.blobs.put(pieces(utf8("own")));
  kit.events.set("news 4", blobRef);
  // What the channel publishes with does not count.
  await kit.service.choose("news", undefined);
  assert.deepEqual(await kit.service.resolveAt("news", 0n), {
    bytes: utf8("inline"),
    uri: undefined,
  });
  assert.deepEqual((await kit.service.resolveAt("news", 1n)).bytes, utf8("far"));
  assert.equal((await kit.service.resolveAt("news", 1n)).uri, "file:///x");
  await assert.rejects(kit.service.resolveAt("news", 2n), isKind("unsupported_scheme"));
  await assert.rejects(kit.service.resolveAt("news", 3n), isKind("not_found"));
  assert.deepEqual((await kit.service.resolveAt("news", 4n)).bytes, utf8("own"));
  await assert.rejects(kit.service.resolveAt("news", 5n), isCode("not_found"));
});

Deno.test("AdapterService publishes a blob with the adapter of the channel, or nothing", async () => {
  await using kit = await open();
  const bytes = new Uint8Array(CHUNK_BYTES + 5).map((_, i) => i >>> 9);
  const { address, hash } = await kit.storage.blobs.put(pieces(bytes));
  const target = parseBlobTarget(address);
  await assert.rejects(kit.service.publish("news", target), isKind("adapter_not_configured"));
  await kit.service.add(fileSpec(kit));
  await kit.service.choose("news", "disk");
  const missing = { kind: "address", hash: new Uint8Array(32) } as const;
  await assert.rejects(kit.service.publish("news", missing), isCode("not_found"));
  assert.equal(kit.events.size, 0);
  const { seq } = await kit.service.publish("news", target);
  await kit.storage.blobs.remove(hash);
  assert.deepEqual((await kit.service.resolveAt("news", seq)).bytes, bytes);
  // With the node's own store nothing is copied: its reference lists the chunks.
  const again = await kit.storage.blobs.put(pieces(bytes));
  await kit.service.choose("own", "mesh");
  const own = await kit.service.publish("own", parseBlobTarget(again.address));
  assert.deepEqual(own.blobRef, again.blobRef);
  assert.deepEqual((await kit.service.resolveAt("own", own.seq)).bytes, bytes);
});

Deno.test("AdapterService gives a program's adapter the deadline it is told", async () => {
  const clock = new ManualClock();
  const deps = { clock, log: silentLog, metrics: createMetricRegistry() };
  const storage = await openStorage(deps, undefined);
  const service = new AdapterService({
    ...deps,
    random: systemRandom,
    memory: createAdapterMemory(storage.ledger),
    store: storage.blobs,
    blobs: new BlobService({ ...deps, storage, mesh: undefined }),
    logs: {
      read: () => Promise.resolve(undefined),
      append: () => Promise.reject(new Error("nothing is appended here")),
    },
    readEnv: () => ({}),
  });
  await service.start();
  try {
    const hanging = {
      ...createNoopAdapter("tape", ["tape"]),
      store: () => new Promise<void>(() => {}),
    };
    service.register(hanging, { deadlineMs: 2_000 });
    assert.throws(() => service.register(hanging), isCode("conflict"));
    const failed = assert.rejects(service.check("tape"), isKind("timeout"));
    await clock.advance(2_000);
    await failed;
    assert.equal(service.list().at(-1)?.kind, "program");
  } finally {
    await service.stop();
    await storage.stop();
  }
});
