import assert from "node:assert/strict";
import { askGatewayByHttp } from "../../../src/services/nat/gateway_http.ts";

/** A server that answers every request by `answer` while `use` runs. */
async function withServer(
  answer: (request: Request) => Response | Promise<Response>,
  use: (url: string) => Promise<void>,
): Promise<void> {
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, answer);
  await use(`http://127.0.0.1:${server.addr.port}/a`);
}

const { signal } = new AbortController();

Deno.test("askGatewayByHttp() posts, and reads what comes back", async () => {
  await withServer(async (request) => {
    const text = `${request.method} ${request.headers.get("x-a")} ${await request.text()}`;
    return new Response(text, { status: 201 });
  }, async (url) => {
    const headers = { "X-A": "1" };
    const options = { url, method: "POST", headers, body: "é", bytesMax: 64, signal } as const;
    const { status, body } = await askGatewayByHttp(options);
    assert.deepEqual([status, new TextDecoder().decode(body)], [201, "POST 1 é"]);
  });
});

Deno.test("askGatewayByHttp() reads no more than it may, however long it goes on", async () => {
  const endless = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(1024)),
  });
  await withServer(() => new Response(endless), async (url) => {
    const options = { url, method: "GET", headers: {}, bytesMax: 4096, signal } as const;
    await assert.rejects(askGatewayByHttp(options), /longer than 4096 bytes/);
  });
});

Deno.test("askGatewayByHttp() follows no redirect", async () => {
  const seen: string[] = [];
  await withServer((request) => {
    seen.push(new URL(request.url).pathname);
    return new Response(null, { status: 307, headers: { location: "/b" } });
  }, async (url) => {
    const options = { url, method: "GET", headers: {}, bytesMax: 64, signal } as const;
    assert.equal((await askGatewayByHttp(options)).status, 307);
  });
  assert.deepEqual(seen, ["/a"]);
});

Deno.test("askGatewayByHttp() ends when it is told to, and when nobody listens", async () => {
  const controller = new AbortController();
  const { promise, resolve } = Promise.withResolvers<Response>();
  await withServer(() => {
    controller.abort(new Error("enough"));
    return promise;
  }, async (url) => {
    const options = { url, method: "GET", headers: {}, bytesMax: 64, ...controller } as const;
    await assert.rejects(askGatewayByHttp({ ...options, signal: controller.signal }), /enough/);
    await assert.rejects(askGatewayByHttp({ ...options, signal: controller.signal }), /enough/);
    resolve(new Response(""));
  });
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}/`;
  listener.close();
  await assert.rejects(askGatewayByHttp({ url, method: "GET", headers: {}, bytesMax: 64, signal }));
});

Deno.test("askGatewayByHttp() refuses what is no HTTP", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const served = listener.accept().then(async (connection) => {
    await connection.read(new Uint8Array(1024));
    await connection.write(new TextEncoder().encode("SSH-2.0-router\r\n"));
    connection.close();
  });
  const url = `http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}/`;
  await assert.rejects(askGatewayByHttp({ url, method: "GET", headers: {}, bytesMax: 64, signal }));
  await served;
});
