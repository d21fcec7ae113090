import assert from "node:assert/strict";
import { systemClock, systemRandom, utf8 } from "../../../../src/base/mod.ts";
import { createS3Adapter, type S3Adapter } from "../../../../src/blob/mod.ts";
import { ManualClock } from "../../../sim/manual_clock.ts";
import { checkAdapter, collect, isKind, pieces, smallRef } from "../compliance.ts";
import { error, type S3Server, startS3Server, TEST_KEYS } from "./s3_server.ts";

const MIB = 1024 * 1024;
const BUCKET = "blobs-of-tests";

interface Kit extends AsyncDisposable {
  readonly server: S3Server;
  readonly adapter: S3Adapter;
}

function open(options: Partial<Parameters<typeof createS3Adapter>[0]> = {}): Kit {
  const server = startS3Server(BUCKET);
  const adapter = createS3Adapter({
    id: "cloud",
    place: { bucket: BUCKET, region: "eu-central-1", endpoint: server.endpoint, isPathStyle: true },
    prefix: "net/blobs/",
    credentials: () => Promise.resolve(TEST_KEYS),
    clock: systemClock,
    random: systemRandom,
    ...options,
  });
  return { server, adapter, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

Deno.test("the S3 adapter keeps what adapters promise, with signatures that hold", async () => {
  await using kit = open();
  await checkAdapter(kit.adapter, { longBytes: 600_000 });
  assert.deepEqual(kit.server.refused, []);
  const [key = ""] = [...kit.server.objects.keys()];
  assert.match(key, /^net\/blobs\/([0-9a-f]{2})\/\1[0-9a-f]{62}$/);
  assert.match(
    kit.adapter.uriOf(new Uint8Array(32)),
    /^s3:\/\/blobs-of-tests\/net\/blobs\/00\/0{64}$/,
  );
});

Deno.test("the S3 adapter sends long blobs in parts", async () => {
  await using kit = open();
  await checkAdapter(kit.adapter, { longBytes: 20 * MIB });
  assert.deepEqual(kit.server.refused, []);
  const parts = kit.server.requests.filter((line) => line.includes("partNumber="));
  assert.equal(parts.length, 3 + 3);
  assert.equal(kit.server.uploads.size, 0);
});

Deno.test("the S3 adapter sends nothing that is there already", async () => {
  await using kit = open();
  const bytes = utf8("once");
  await kit.adapter.store(smallRef(bytes), bytes);
  kit.server.requests.length = 0;
  await kit.adapter.store(smallRef(bytes), bytes);
  assert.deepEqual(kit.server.requests.map((line) => line.split(" ")[0]), ["HEAD"]);
});

Deno.test("the S3 adapter leaves no upload behind that was not the blob it should be", async () => {
  await using kit = open();
  const bytes = new Uint8Array(17 * MIB).fill(7);
  const ref = { ...smallRef(utf8("another")), size: bytes.length };
  await assert.rejects(kit.adapter.storeStream(ref, pieces(bytes)), isKind("hash_mismatch"));
  assert.deepEqual([kit.server.objects.size, kit.server.uploads.size], [0, 0]);
  assert.ok(kit.server.requests.some((line) => /^DELETE .*uploadId=/.test(line)));
});

Deno.test("the S3 adapter ends an upload whose caller has left", async () => {
  await using kit = open();
  const bytes = new Uint8Array(40 * MIB).fill(9);
  const abort = new AbortController();
  const source = pieces(bytes, 4 * MIB);
  let read = 0;
  const leaving = {
    read: (into: Uint8Array) => {
      if (++read === 6) abort.abort(new Error("left"));
      return source.read(into);
    },
  };
  const store = kit.adapter.storeStream(smallRef(bytes), leaving, { signal: abort.signal });
  await assert.rejects(store, /left/);
  assert.deepEqual([kit.server.objects.size, kit.server.uploads.size], [0, 0]);
});

Deno.test("the S3 adapter tries again what may go well the next time", async () => {
  await using kit = open();
  const bytes = new Uint8Array(9 * MIB).fill(3);
  kit.server.misdeed = ({ count }) => {
    if (count % 3 === 1) return error(503, "SlowDown");
    return count % 3 === 2 ? error(500, "InternalError") : undefined;
  };
  await kit.adapter.store(smallRef(bytes), bytes);
  assert.deepEqual(await kit.adapter.fetch(smallRef(bytes)), bytes);
  assert.ok(kit.adapter.counters.retries_total > 0);
  assert.equal(kit.adapter.counters.failures_total, 0);
});

Deno.test("the S3 adapter gives up after some tries, and at once where trying is no use", async () => {
  await using kit = open();
  const ref = smallRef(utf8("x"));
  kit.server.misdeed = () => error(503, "SlowDown");
  await assert.rejects(kit.adapter.exists(ref), isKind("backend"));
  assert.equal(kit.server.requests.length, 5);
  kit.server.requests.length = 0;
  kit.server.misdeed = () => error(403, "AccessDenied");
  await assert.rejects(kit.adapter.exists(ref), isKind("unauthorized"));
  assert.equal(kit.server.requests.length, 1);
  kit.server.misdeed = () =>
    new Response(null, { status: 301, headers: { "x-amz-bucket-region": "us-west-2" } });
  await assert.rejects(kit.adapter.exists(ref), /it is elsewhere/);
});

Deno.test("the S3 adapter goes on reading where an answer broke off", async () => {
  await using kit = open();
  const bytes = new Uint8Array(3 * MIB).map((_, i) => i * 7 + (i >>> 9));
  const ref = smallRef(bytes);
  await kit.adapter.store(ref, bytes);
  let cuts = 0;
  kit.server.misdeed = ({ method }) => method === "GET" && ++cuts <= 3 ? "cut" : undefined;
  assert.deepEqual(await collect(kit.adapter.fetchStream(ref)), bytes);
  assert.ok(cuts > 3, `${cuts} reads`);
});

Deno.test("the S3 adapter gives nothing that has another hash", async () => {
  await using kit = open();
  const bytes = new Uint8Array(100_000).fill(1);
  const ref = smallRef(bytes);
  await kit.adapter.store(ref, bytes);
  const [key = ""] = [...kit.server.objects.keys()];
  for (const wrong of [bytes.slice(1), new Uint8Array(100_000), new Uint8Array(200_000)]) {
    kit.server.objects.set(key, { bytes: wrong, b3: ref.hash.toHex() });
    await assert.rejects(kit.adapter.fetch(ref), isKind("hash_mismatch"));
    await assert.rejects(kit.adapter.fetchRange(ref, 5, 10), isKind("hash_mismatch"));
    await assert.rejects(collect(kit.adapter.fetchStream(ref)), isKind("hash_mismatch"));
  }
});

Deno.test("the S3 adapter believes what the end of an upload says, not its status", async () => {
  await using kit = open();
  const bytes = new Uint8Array(9 * MIB).fill(8);
  kit.server.misdeed = ({ method, url }) =>
    method === "POST" && url.searchParams.has("uploadId")
      ? new Response("<Error><Code>InternalError</Code></Error>")
      : undefined;
  await assert.rejects(kit.adapter.store(smallRef(bytes), bytes), /InternalError/);
  assert.equal(kit.server.uploads.size, 0);
});

Deno.test("the S3 adapter waits a minute for an answer, and no longer", async () => {
  const clock = new ManualClock();
  await using kit = open({ clock });
  kit.server.misdeed = () => "hang";
  const answer = kit.adapter.exists(smallRef(utf8("x"))).then(
    () => undefined,
    (failure) => failure,
  );
  let failure: unknown;
  void answer.then((value) => failure = value);
  for (let at = 0; failure === undefined && at < 100; at++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    await clock.advance(61_000);
  }
  assert.ok(isKind("timeout")(failure), String(failure));
});

Deno.test("the S3 adapter ends uploads that somebody left a day ago, its own alone", async () => {
  await using kit = open();
  const add = (id: string, key: string, hours: number) =>
    kit.server.uploads.set(id, {
      key,
      meta: new Headers(),
      parts: new Map(),
      initiated: new Date(Date.now() - hours * 3_600_000).toISOString(),
    });
  const own = `net/blobs/ab/ab${"0".repeat(62)}`;
  add("old", own, 25);
  add("young", own, 1);
  add("foreign", "net/blobs/photo.jpg", 25);
  assert.equal(await kit.adapter.sweep(), 1);
  assert.deepEqual([...kit.server.uploads.keys()], ["young", "foreign"]);
});

Deno.test("createS3Adapter() refuses places that cannot be", () => {
  const make = (place: object, prefix = "") => () =>
    createS3Adapter({
      id: "s",
      place: { bucket: "abc", region: "us-east-1", ...place },
      prefix,
      credentials: () => Promise.resolve(TEST_KEYS),
      clock: systemClock,
      random: systemRandom,
    });
  for (
    const place of [{ bucket: "A" }, { bucket: "a/../b" }, { region: "x y" }, {
      endpoint: "ftp://a",
    }, {
      endpoint: "http://user:pass@a",
    }, { endpoint: "http://a/path" }]
  ) {
    assert.throws(make(place), isKind("backend"), JSON.stringify(place));
  }
  for (const prefix of ["a", "../", "a/./", "/a/", "a b/"]) {
    assert.throws(make({}, prefix), isKind("backend"), prefix);
  }
  make({ endpoint: "http://127.0.0.1:9000" }, "a/b-c/")();
});

Deno.test("the S3 adapter names the bucket in the host where it is told so", async () => {
  const asked: string[] = [];
  const adapter = createS3Adapter({
    id: "s",
    place: { bucket: "abc", region: "eu-west-1" },
    credentials: () => Promise.resolve(TEST_KEYS),
    clock: systemClock,
    random: systemRandom,
    fetch: (url) => {
      asked.push(url.href);
      return Promise.resolve(new Response(null, { status: 404 }));
    },
  });
  assert.equal(await adapter.exists(smallRef(utf8("x"))), false);
  assert.match(
    asked[0] ?? "",
    /^https:\/\/abc\.s3\.eu-west-1\.amazonaws\.com\/[0-9a-f]{2}\/[0-9a-f]{64}$/,
  );
});
