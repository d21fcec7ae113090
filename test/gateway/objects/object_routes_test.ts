import assert from "node:assert/strict";
import { NetError, toHex } from "../../../src/base/mod.ts";
import { CHUNK_BYTES, formatAddress } from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { pieces } from "../../blob/adapters/compliance.ts";
import { openGateway, pattern, SECRET } from "../gateway_kit.ts";
import { RawClient } from "../http/raw_client.ts";

const AUTH = { authorization: `Bearer ${SECRET}` };

async function take(response: Response): Promise<Uint8Array> {
  return new Uint8Array(await response.arrayBuffer());
}

Deno.test("PUT /o stores a body under its hash, as often as it comes", async () => {
  await using kit = await openGateway();
  const bytes = pattern(3 * CHUNK_BYTES + 5);
  const address = formatAddress(blake3(bytes));
  for (const method of ["PUT", "POST", "PUT"]) {
    const response = await fetch(`${kit.url}/o`, { method, body: bytes, headers: AUTH });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("etag"), `"${address}"`);
    assert.equal(response.headers.get("location"), `/o/${address}`);
    assert.deepEqual(await response.json(), { cid: address, size: bytes.length });
  }
  const response = await fetch(`${kit.url}/o/${address}`);
  assert.equal(response.headers.get("content-length"), String(bytes.length));
  assert.deepEqual(await take(response), bytes);
  const { blobs } = await kit.storage.blobs.list();
  assert.equal(blobs.length, 1);
});

Deno.test("PUT /o takes a stream of unknown length, and nothing at all", async () => {
  await using kit = await openGateway();
  const stream = new Blob([pattern(100_000)]).stream();
  const streamed = await fetch(`${kit.url}/o`, { method: "PUT", body: stream, headers: AUTH });
  assert.equal((await streamed.json()).cid, formatAddress(blake3(pattern(100_000))));
  const empty = await fetch(`${kit.url}/o`, { method: "PUT", headers: AUTH });
  const { cid } = await empty.json();
  assert.equal(cid, "b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
  const got = await fetch(`${kit.url}/o/${cid}`);
  assert.equal(got.status, 200);
  assert.equal(got.headers.get("content-length"), "0");
  assert.equal((await take(got)).length, 0);
  const ranged = await fetch(`${kit.url}/o/${cid}`, { headers: { range: "bytes=0-" } });
  assert.equal(ranged.status, 416);
  assert.equal(ranged.headers.get("content-range"), "bytes */0");
  await ranged.body?.cancel();
});

Deno.test("PUT /o is for whoever has the secret, and says nothing of it", async () => {
  await using kit = await openGateway();
  const others: Record<string, string>[] = [{}, { authorization: "Bearer wrong" }, {
    authorization: `Basic ${SECRET}`,
  }, {
    authorization: `Bearer ${SECRET}x`,
  }];
  for (const headers of others) {
    const response = await fetch(`${kit.url}/o`, { method: "PUT", body: "x", headers });
    assert.equal(response.status, 401);
    assert.equal(response.headers.get("www-authenticate"), 'Bearer realm="net"');
    const text = await response.text();
    assert.equal(JSON.parse(text).code, "unauthorized");
    assert.ok(!text.includes(SECRET));
  }
  assert.equal(kit.counters.snapshot()['rejected_total{reason="unauthorized"}'], others.length);
  assert.equal((await kit.storage.blobs.list()).blobs.length, 0);
});

Deno.test("PUT /o is open to this machine, or closed, where the operator says so", async () => {
  await using open = await openGateway({ writes: "loopback" });
  const put = await fetch(`${open.url}/o`, { method: "PUT", body: "x" });
  assert.equal(put.status, 200);
  await put.body?.cancel();
  await using closed = await openGateway({ writes: "off" });
  const refused = await fetch(`${closed.url}/o`, { method: "PUT", body: "x", headers: AUTH });
  assert.equal(refused.status, 403);
  await refused.body?.cancel();
});

Deno.test("GET and HEAD of /o/:cid have the same headers", async () => {
  await using kit = await openGateway();
  const address = await kit.put(pattern(70_000));
  const get = await fetch(`${kit.url}/o/${address}`);
  const head = await fetch(`${kit.url}/o/${address}`, { method: "HEAD" });
  const fields = (response: Response) =>
    [...response.headers].filter(([name]) => !["date", "x-request-id"].includes(name));
  assert.deepEqual(fields(head), fields(get));
  assert.equal(head.headers.get("etag"), `"${address}"`);
  assert.equal(head.headers.get("content-length"), "70000");
  assert.equal(head.headers.get("accept-ranges"), "bytes");
  assert.equal((await take(head)).length, 0);
  assert.equal((await take(get)).length, 70_000);
});

Deno.test("GET /o/:cid gives parts, over the borders of chunks too", async () => {
  await using kit = await openGateway();
  const bytes = pattern(2 * CHUNK_BYTES + 1_000);
  const address = await kit.put(bytes);
  const parts: [string, number, number][] = [
    ["bytes=0-0", 0, 1],
    [`bytes=${CHUNK_BYTES - 2}-${CHUNK_BYTES + 1}`, CHUNK_BYTES - 2, CHUNK_BYTES + 2],
    [`bytes=${CHUNK_BYTES}-`, CHUNK_BYTES, bytes.length],
    ["bytes=-7", bytes.length - 7, bytes.length],
    ["bytes=0-", 0, bytes.length],
    [`bytes=5-${2 * CHUNK_BYTES + 3}`, 5, 2 * CHUNK_BYTES + 4],
  ];
  for (const [range, start, end] of parts) {
    const response = await fetch(`${kit.url}/o/${address}`, { headers: { range } });
    assert.equal(response.status, 206, range);
    assert.equal(
      response.headers.get("content-range"),
      `bytes ${start}-${end - 1}/${bytes.length}`,
    );
    assert.equal(response.headers.get("content-length"), String(end - start));
    assert.equal(response.headers.get("etag"), `"${address}"`);
    assert.deepEqual(await take(response), bytes.slice(start, end));
  }
  const none = await fetch(`${kit.url}/o/${address}`, {
    headers: { range: `bytes=${bytes.length}-` },
  });
  assert.equal(none.status, 416);
  assert.equal(none.headers.get("content-range"), `bytes */${bytes.length}`);
  assert.equal((await none.json()).code, "range_not_satisfiable");
  const several = await fetch(`${kit.url}/o/${address}`, { headers: { range: "bytes=0-1,4-5" } });
  assert.equal(several.status, 200);
  await several.body?.cancel();
});

Deno.test("GET /o/:cid heeds what the client has already", async () => {
  await using kit = await openGateway();
  const address = await kit.put(pattern(10));
  const ask = async (headers: Record<string, string>, method = "GET") => {
    const response = await fetch(`${kit.url}/o/${address}`, { method, headers });
    await response.body?.cancel();
    return response.status;
  };
  const tag = `"${address}"`;
  assert.equal(await ask({ "if-none-match": tag }), 304);
  assert.equal(await ask({ "if-none-match": tag }, "HEAD"), 304);
  assert.equal(await ask({ "if-none-match": `"a", W/${tag}` }), 304);
  assert.equal(await ask({ "if-none-match": "*" }), 304);
  assert.equal(await ask({ "if-none-match": '"other"' }), 200);
  assert.equal(await ask({ "if-match": tag }), 200);
  assert.equal(await ask({ "if-match": `W/${tag}` }), 412);
  assert.equal(await ask({ range: "bytes=0-1", "if-range": tag }), 206);
  assert.equal(await ask({ range: "bytes=0-1", "if-range": '"other"' }), 200);
  assert.equal(await ask({ range: "bytes=0-1", "if-range": new Date().toUTCString() }), 200);
  assert.equal(await ask({ range: "bytes=0-1", "if-none-match": tag }), 304);
});

Deno.test("GET /o/:cid tells bad addresses from unknown ones", async () => {
  await using kit = await openGateway();
  const ask = async (path: string, method = "GET") => {
    const response = await fetch(`${kit.url}${path}`, { method });
    const text = await response.text();
    return [response.status, text === "" ? "" : JSON.parse(text).code];
  };
  const unknown = "b3:" + "0".repeat(64);
  assert.deepEqual(await ask(`/o/${unknown}`), [404, "not_found"]);
  assert.deepEqual(await ask(`/o/${unknown}`, "HEAD"), [404, ""]);
  for (
    const bad of [
      "b3:",
      "x",
      `B3:${"0".repeat(64)}`,
      `b3:${"0".repeat(63)}`,
      `b3:${"A".repeat(64)}`,
    ]
  ) {
    assert.deepEqual(await ask(`/o/${bad}`), [400, "bad_request"], bad);
  }
  assert.deepEqual(await ask(`/o/mesh:%2F%2F${"0".repeat(64)}`), [400, "bad_request"]);
  assert.deepEqual(await ask("/"), [404, "not_found"]);
  assert.deepEqual(await ask(`/o/${unknown}/x`), [404, "not_found"]);
});

Deno.test("the surface tells which methods it has", async () => {
  await using kit = await openGateway();
  for (const [path, allowed] of [["/o", "PUT, POST, OPTIONS"], ["/o/b3:x", "GET, HEAD, OPTIONS"]]) {
    const refused = await fetch(`${kit.url}${path}`, { method: "DELETE" });
    assert.equal(refused.status, 405);
    assert.equal(refused.headers.get("allow"), allowed);
    assert.equal((await refused.json()).code, "method_not_allowed");
    const options = await fetch(`${kit.url}${path}`, { method: "OPTIONS" });
    assert.equal(options.status, 204);
    assert.equal(options.headers.get("allow"), allowed);
  }
});

Deno.test("GET /o/:cid answers 502 when the copy here is damaged, before any byte", async () => {
  await using kit = await openGateway();
  const bytes = pattern(CHUNK_BYTES + 5);
  const address = await kit.put(bytes);
  await kit.storage.chunks.remove(blake3(bytes.subarray(0, CHUNK_BYTES)));
  for (const headers of [{}, { range: "bytes=0-3" }] as Record<string, string>[]) {
    const response = await fetch(`${kit.url}/o/${address}`, { headers });
    assert.equal(response.status, 502);
    assert.equal((await response.json()).code, "integrity");
  }
  assert.equal(kit.counters.snapshot().integrity_fail_total, 2);
});

Deno.test("GET /o/:cid ends before the last bytes when the whole is another", async () => {
  const bytes = pattern(3 * 65_536);
  await using kit = await openGateway({
    wrap: (source) => ({
      ...source,
      readShort: () => Promise.resolve(undefined),
      find: (hash) => Promise.resolve({ hash, size: bytes.length }),
      read: async (_object, sink) => {
        for (let at = 0; at < bytes.length; at += 65_536) {
          await sink.write(bytes.slice(at, at + 65_536));
        }
        throw new NetError("integrity", "the chunks make another blob");
      },
    }),
  });
  const response = await fetch(`${kit.url}/o/b3:${toHex(blake3(bytes))}`);
  assert.equal(response.status, 200);
  await assert.rejects(response.arrayBuffer());
  assert.equal(kit.counters.snapshot().integrity_fail_total, 1);
});

Deno.test("a client that leaves in the middle of a put leaves nothing", async () => {
  const ended = Promise.withResolvers<unknown>();
  await using kit = await openGateway({
    wrap: (source) => ({
      find: (hash, options) => source.find(hash, options),
      readShort: (object) => source.readShort(object),
      read: (object, sink, options) => source.read(object, sink, options),
      readRange: (object, start, end, options) => source.readRange(object, start, end, options),
      freeBytes: () => source.freeBytes(),
      put: async (from, options) => {
        try {
          return await source.put(from, options);
        } catch (error) {
          ended.resolve(error);
          throw error;
        }
      },
    }),
  });
  using client = await RawClient.open(kit.port);
  const auth = `Authorization: Bearer ${SECRET}\r\n`;
  await client.send(`PUT /o HTTP/1.1\r\nHost: localhost\r\n${auth}Content-Length: 9000000\r\n\r\n`);
  await client.send(pattern(5_000_000));
  client.conn.close();
  assert.ok(await ended.promise instanceof Error);
  assert.equal((await kit.storage.blobs.list()).blobs.length, 0);
});

Deno.test("a client that leaves in the middle of a get ends the reading", async () => {
  const left = Promise.withResolvers<void>();
  let chunks = 0;
  await using kit = await openGateway({
    wrap: (source) => ({
      ...source,
      readShort: () => Promise.resolve(undefined),
      find: (hash) => Promise.resolve({ hash, size: 2 ** 40 }),
      read: async (_object, sink, { signal }) => {
        signal.addEventListener("abort", () => left.resolve());
        while (!signal.aborted) {
          await sink.write(new Uint8Array(1 << 20));
          chunks += 1;
        }
      },
    }),
  });
  using client = await RawClient.open(kit.port);
  await client.send(`GET /o/b3:${"0".repeat(64)} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await client.readUntil("\r\n\r\n");
  client.conn.close();
  await left.promise;
  assert.ok(chunks < 64, `${chunks} MiB were read for somebody who had left`);
});

Deno.test("PUT /o is refused before it is read when there is no room", async () => {
  const freeBytes = 10;
  await using kit = await openGateway({
    wrap: (source) => ({ ...source, freeBytes: () => freeBytes }),
  });
  using client = await RawClient.open(kit.port);
  const auth = `Authorization: Bearer ${SECRET}\r\nExpect: 100-continue\r\n`;
  await client.send(
    `PUT /o HTTP/1.1\r\nHost: localhost\r\n${auth}Content-Length: ${freeBytes + 1}\r\n\r\n`,
  );
  assert.match(await client.readAll(), /^HTTP\/1\.1 507 [^]*"code":"no_space"/);
});

Deno.test("GET /o/:cid gives trees, by their address and by their root", async () => {
  await using kit = await openGateway();
  const bytes = pattern(3_000_000);
  const { ref, address } = await kit.storage.blobs.put(pieces(bytes), {
    form: {
      chunking: {
        kind: "content_defined",
        minBytes: 4_096,
        averageBytes: 16_384,
        maxBytes: 65_536,
      },
      encoding: { kind: "reed_solomon", data: 4, parity: 2 },
    },
  });
  assert.ok(ref.kind === "tree");
  for (const cid of [address, formatAddress(ref.rootHash)]) {
    const whole = await fetch(`${kit.url}/o/${cid}`);
    assert.equal(whole.headers.get("content-length"), String(bytes.length));
    assert.deepEqual(await take(whole), bytes);
    const part = await fetch(`${kit.url}/o/${cid}`, {
      headers: { range: "bytes=1000000-2000000" },
    });
    assert.equal(part.status, 206);
    assert.deepEqual(await take(part), bytes.slice(1_000_000, 2_000_001));
  }
});

Deno.test("GET /o/:cid counts beyond 32 bits", async () => {
  const size = 2 ** 44 + 3;
  const asked: [number, number][] = [];
  await using kit = await openGateway({
    wrap: (source) => ({
      ...source,
      readShort: () => Promise.resolve(undefined),
      find: (hash) => Promise.resolve({ hash, size }),
      readRange: async function* (_object, start, end) {
        asked.push([start, end]);
        yield await Promise.resolve(new Uint8Array(end - start).fill(end % 251));
      },
    }),
  });
  const url = `${kit.url}/o/b3:${"1".repeat(64)}`;
  const head = await fetch(url, { method: "HEAD" });
  assert.equal(head.headers.get("content-length"), String(size));
  for (
    const [range, start, end] of [["bytes=-2", size - 2, size], [
      `bytes=${2 ** 40}-${2 ** 40 + 4}`,
      2 ** 40,
      2 ** 40 + 5,
    ]] as const
  ) {
    const part = await fetch(url, { headers: { range } });
    assert.equal(part.headers.get("content-range"), `bytes ${start}-${end - 1}/${size}`);
    assert.equal((await take(part)).length, end - start);
  }
  assert.deepEqual(asked, [[size - 2, size], [2 ** 40, 2 ** 40 + 5]]);
});
