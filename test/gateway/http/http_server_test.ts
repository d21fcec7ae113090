import assert from "node:assert/strict";
import { systemClock } from "../../../src/base/mod.ts";
import type { HttpHandler } from "../../../src/gateway/http/connection.ts";
import { HttpServer, type HttpServerDeps } from "../../../src/gateway/http/http_server.ts";
import { exchange, RawClient } from "./raw_client.ts";

interface Served extends AsyncDisposable {
  readonly server: HttpServer;
  readonly port: number;
}

function serve(handle: HttpHandler, options: Partial<HttpServerDeps> = {}): Served {
  const server = new HttpServer({
    clock: systemClock,
    handle,
    refuse: ({ status, message }) => new Response(message, { status }),
    ...options,
  });
  const { port } = server.listen({ host: "127.0.0.1", port: 0 });
  return { server, port, [Symbol.asyncDispose]: () => server.stop() };
}

function text(body: string): Response {
  return new Response(body, { headers: { "content-length": String(body.length) } });
}

const echo: HttpHandler = async (request) => text(await request.text());

Deno.test("HttpServer answers requests of one connection in their order", async () => {
  await using served = serve((request) => Promise.resolve(text(new URL(request.url).pathname)));
  using client = await RawClient.open(served.port);
  await client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.match(await client.readUntil("\r\n\r\n/a"), /^HTTP\/1\.1 200 OK\r\ndate: /);
  await client.readUntil("\r\n\r\n/b");
  await client.send("GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  assert.match(await client.readAll(), /connection: close[^]*\r\n\r\n\/c$/);
});

Deno.test("HttpServer reads heads byte by byte", async () => {
  await using served = serve(() => Promise.resolve(text("ok")));
  using client = await RawClient.open(served.port);
  client.conn.setNoDelay(true);
  for (const letter of "GET / HTTP/1.1\r\nHost: x\r\n\r\n") await client.send(letter);
  await client.readUntil("\r\n\r\nok");
});

Deno.test("HttpServer reads bodies by length and in chunks, with 100 Continue", async () => {
  await using served = serve(echo);
  using client = await RawClient.open(served.port);
  await client.send(
    "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
  );
  await client.readUntil("HTTP/1.1 100 Continue\r\n\r\n");
  await client.send("abc");
  await client.readUntil("\r\n\r\nabc");
  const chunks = "4;x=y\r\nwiki\r\n0A\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n";
  await client.send(`PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n${chunks}`);
  await client.readUntil("\r\n\r\nwiki0123456789");
  await client.send("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (const letter of chunks) await client.send(letter);
  await client.readUntil("\r\n\r\nwiki0123456789");
});

Deno.test("HttpServer ends a connection whose chunks are none", async () => {
  const failures: string[] = [];
  await using served = serve(async (request) => {
    try {
      return text(await request.text());
    } catch (error) {
      failures.push(String(error));
      return new Response("bad", { status: 400 });
    }
  });
  const bodies = [
    "x\r\n",
    "3\r\nabcd\r\n0\r\n\r\n",
    "3 \n",
    "-1\r\n",
    `${"f".repeat(13)}\r\n`,
    "\r\n",
  ];
  for (const body of bodies) {
    const head = "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert.match(await exchange(served.port, head + body), /^HTTP\/1\.1 400 [^]*connection: close/);
  }
  assert.equal(failures.length, bodies.length);
});

Deno.test("HttpServer sends bodies of unknown length in chunks, and none to HEAD", async () => {
  const stream = () => new Response(new Blob(["abc", "", "defg"]).stream());
  await using served = serve(() => Promise.resolve(stream()));
  const close = "Host: x\r\nConnection: close\r\n\r\n";
  const chunked = await exchange(served.port, `GET / HTTP/1.1\r\n${close}`);
  assert.match(chunked, /transfer-encoding: chunked/);
  assert.ok(chunked.endsWith("\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"));
  assert.match(await exchange(served.port, `HEAD / HTTP/1.1\r\n${close}`), /\r\n\r\n$/);
  const old = await exchange(served.port, "GET / HTTP/1.0\r\n\r\n");
  assert.match(old, /\r\n\r\nabcdefg$/);
  assert.doesNotMatch(old, /chunked/);
});

Deno.test("HttpServer ends the connection when a body is not as long as it said", async () => {
  const wrong = (bytes: string) =>
    new Response(new Blob([bytes]).stream(), { headers: { "content-length": "5" } });
  await using served = serve((request) =>
    Promise.resolve(wrong(new URL(request.url).pathname.slice(1)))
  );
  assert.match(await exchange(served.port, "GET /abc HTTP/1.1\r\nHost: x\r\n\r\n"), /\r\n\r\nabc$/);
  assert.equal(await exchange(served.port, "GET /abcdef HTTP/1.1\r\nHost: x\r\n\r\n"), "");
  assert.equal(served.server.counters.answers_broken_total, 2);
});

Deno.test("HttpServer refuses what is no request, and says why", async () => {
  await using served = serve(echo);
  assert.match(await exchange(served.port, "hello\r\n\r\n"), /^HTTP\/1\.1 400 /);
  const long = `GET / HTTP/1.1\r\nHost: x\r\nA: ${"b".repeat(20_000)}`;
  assert.match(await exchange(served.port, long), /^HTTP\/1\.1 431 /);
  // Not after the time for a head is up: JSON lines, and the hello of TLS.
  for (const other of ['{"jsonrpc":"2.0","method":"health.liveness","id":1}\n', "\x16\x03\x01"]) {
    assert.match(await exchange(served.port, other), /^HTTP\/1\.1 400 [^]*no TLS and no JSON-RPC/);
  }
  assert.equal(served.server.counters.heads_refused_total, 4);
});

Deno.test("HttpServer drops short bodies nobody read, and ends on long ones", async () => {
  await using served = serve(() => Promise.resolve(text("no")));
  using client = await RawClient.open(served.port);
  await client.send(
    "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: x\r\n\r\n",
  );
  await client.readUntil("\r\n\r\nno");
  await client.readUntil("\r\n\r\nno");
  const long = `PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n${"a".repeat(500_000)}`;
  assert.match(await exchange(served.port, long), /connection: close[^]*\r\n\r\nno$/);
});

Deno.test("HttpServer does not hold the connection of who waits to send a refused body", async () => {
  await using served = serve(() => Promise.resolve(text("no")));
  const head = "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
  assert.match(await exchange(served.port, head), /^HTTP\/1\.1 200 [^]*connection: close/);
});

Deno.test("HttpServer ends heads, bodies and silences that take too long", async () => {
  const times = { idleMs: 600, headMs: 100, bodyIdleMs: 100, writeIdleMs: 200 };
  await using served = serve(echo, { times });
  const { counters } = served.server;
  assert.match(await exchange(served.port, "GET / HT"), /^HTTP\/1\.1 408 /);
  const body = "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na";
  assert.equal(await exchange(served.port, body), "");
  assert.equal(await exchange(served.port, ""), "");
  assert.equal(counters.connections_timed_out_head_total, 1);
  assert.equal(counters.connections_timed_out_body_total, 1);
  assert.equal(counters.connections_timed_out_idle_total, 1);
});

Deno.test("HttpServer ends who asks and does not read, and cancels the work for it", async () => {
  const cancelled = Promise.withResolvers<void>();
  let pulled = 0;
  const endless = () =>
    new ReadableStream<Uint8Array>({
      pull: (controller) => {
        pulled += 1;
        controller.enqueue(new Uint8Array(1 << 20));
      },
      cancel: () => cancelled.resolve(),
    }, { highWaterMark: 0 });
  await using served = serve(() => Promise.resolve(new Response(endless())), {
    times: { writeIdleMs: 200 },
  });
  using client = await RawClient.open(served.port);
  await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await cancelled.promise;
  assert.equal(served.server.counters.connections_timed_out_write_total, 1);
  assert.ok(pulled < 64, `${pulled} MiB were made for somebody who reads nothing`);
});

Deno.test("HttpServer tells a handler that its client has left", async () => {
  const began = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  let ended = 0;
  await using served = serve((request, info) => {
    info.onEnd(() => ended += 1);
    began.resolve();
    return new Promise((resolve) =>
      request.signal.addEventListener("abort", () => {
        left.resolve();
        resolve(text("late"));
      })
    );
  });
  using client = await RawClient.open(served.port);
  await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await began.promise;
  client.conn.close();
  await left.promise;
  await served.server.stop();
  assert.equal(served.server.counters.requests_aborted_total, 1);
  assert.equal(ended, 1);
});

Deno.test("HttpServer makes room by ending who is idle for the longest, never who is served", async () => {
  const release = Promise.withResolvers<void>();
  await using served = serve(async (request) => {
    if (request.url.endsWith("/wait")) await release.promise;
    return text("ok");
  }, { connectionsMax: 2 });
  using waiting = await RawClient.open(served.port);
  await waiting.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  using idle = await RawClient.open(served.port);
  await idle.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await idle.readUntil("\r\n\r\nok");
  using newest = await RawClient.open(served.port);
  await newest.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.equal(await idle.readAll(), "");
  using refused = await RawClient.open(served.port);
  assert.equal(await refused.readAll(), "");
  release.resolve();
  await waiting.readUntil("\r\n\r\nok");
  await newest.readUntil("\r\n\r\nok");
  const { counters } = served.server;
  assert.deepEqual([counters.connections_evicted_total, counters.connections_refused_total], [
    1,
    1,
  ]);
});

Deno.test("HttpServer takes the place of whoever sends half a head", async () => {
  await using served = serve(() => Promise.resolve(text("ok")), { connectionsMax: 50 });
  const slow: RawClient[] = [];
  try {
    for (let at = 0; at < 50; at++) {
      const client = await RawClient.open(served.port);
      await client.send("GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ");
      slow.push(client);
    }
    for (let at = 0; at < 10; at++) {
      assert.match(await exchange(served.port, "GET / HTTP/1.0\r\n\r\n"), /^HTTP\/1\.1 200 /);
    }
    assert.equal(served.server.counters.connections_refused_total, 0);
  } finally {
    for (const client of slow) client[Symbol.dispose]();
  }
});

Deno.test("HttpServer holds 2,000 idle connections and answers beside them", async () => {
  await using served = serve(() => Promise.resolve(text("ok")));
  const idle: RawClient[] = [];
  try {
    while (idle.length < 2_000) {
      idle.push(
        ...await Promise.all(Array.from({ length: 100 }, () => RawClient.open(served.port))),
      );
    }
    for (let at = 0; at < 20; at++) {
      const answer = await exchange(
        served.port,
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
      );
      assert.match(answer, /^HTTP\/1\.1 200 /);
    }
    assert.equal(served.server.counters.connections_evicted_total, 0);
    // One of the first is as good as new.
    const [first] = idle;
    await first?.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await first?.readUntil("\r\n\r\nok");
  } finally {
    for (const client of idle) client[Symbol.dispose]();
  }
});

Deno.test("HttpServer lets running answers end when it stops", async () => {
  const release = Promise.withResolvers<void>();
  const began = Promise.withResolvers<void>();
  const served = serve(async () => {
    began.resolve();
    await release.promise;
    return text("ok");
  });
  using client = await RawClient.open(served.port);
  using idle = await RawClient.open(served.port);
  await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await began.promise;
  const stopped = served.server.stop();
  assert.equal(await idle.readAll(), "");
  release.resolve();
  assert.match(await client.readAll(), /connection: close[^]*ok$/);
  await stopped;
});
