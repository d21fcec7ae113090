import assert from "node:assert/strict";
import * as v from "valibot";
import { NetError } from "../../../src/base/mod.ts";
import {
  clientStream,
  createTypedClient,
  defineError,
  defineService,
  duplex,
  RpcError,
  RpcStatusError,
  serverStream,
  serveTyped,
  Status,
  textHeader,
  unary,
} from "../../../src/rpc/mod.ts";
import { MemoryRpc } from "./memory_rpc.ts";

const Query = v.object({ text: v.string(), limit: v.optional(v.number(), 10) });
const Hit = v.object({ title: v.string() });
const QuotaExceeded = defineError("quota_exceeded", 0x8010, v.object({ limit: v.number() }));
const Search = defineService("acme.search", {
  search: unary(Query, v.array(Hit)),
  watch: serverStream(Query, Hit),
  upload: clientStream(Hit, v.object({ count: v.number() })),
  chat: duplex(v.string(), v.string()),
}, { errors: [QuotaExceeded] });

type Handlers = Parameters<typeof serveTyped<typeof Search["methods"]>>[2];

const HANDLERS: Handlers = {
  search: ({ text, limit }) => [{ title: `${text} ${limit}` }],
  watch: function* ({ text }) {
    for (let index = 0; index < 3; index++) yield { title: `${text} ${index}` };
  },
  upload: async (items) => ({ count: (await Array.fromAsync(items)).length }),
  chat: async function* (items) {
    for await (const text of items) yield text.toUpperCase();
  },
};

function start(handlers: Partial<Handlers> = {}) {
  const rpc = new MemoryRpc();
  const handle = serveTyped(rpc, Search, { ...HANDLERS, ...handlers });
  return { rpc, handle, client: createTypedClient(Search, rpc) };
}

const failure = async (promise: Promise<unknown>): Promise<RpcError> => {
  const error = await promise.then(() => undefined, (error) => error);
  assert.ok(error instanceof RpcError, String(error));
  return error;
};

Deno.test("createTypedClient() calls all four shapes with values", async () => {
  const { client } = start();
  assert.deepEqual(await client.search({ text: "a" }), [{ title: "a 10" }]);
  const watched = await Array.fromAsync(await client.watch({ text: "b" }));
  assert.deepEqual(watched.map(({ title }) => title), ["b 0", "b 1", "b 2"]);
  const upload = await client.upload();
  await upload.send({ title: "x" });
  assert.deepEqual(await upload.finish({ title: "y" }), { count: 2 });
  const chat = await client.chat();
  await chat.requests.send("hello");
  assert.equal(await chat.responses.read(), "HELLO");
  await chat.requests.finish();
  assert.equal(await chat.responses.read(), undefined);
});

Deno.test("serveTyped() serves each method by its own name, and a single one by the plain name", () => {
  const { rpc } = start();
  assert.deepEqual(rpc.names, [
    "acme.search.search",
    "acme.search.watch",
    "acme.search.upload",
    "acme.search.chat",
  ]);
  const single = new MemoryRpc();
  serveTyped(single, defineService("echo", unary(v.string(), v.string())), (text) => text);
  assert.deepEqual(single.names, ["echo"]);
});

Deno.test("serveTyped() serves all methods or none", async () => {
  const rpc = new MemoryRpc();
  rpc.serve("acme.search.upload", (body) => body);
  assert.throws(() => serveTyped(rpc, Search, HANDLERS), { kind: "serve_failed" });
  assert.deepEqual(rpc.names, ["acme.search.upload"]);
  const { rpc: other, handle } = start();
  await handle.close();
  assert.deepEqual(other.names, []);
});

Deno.test("defineService() refuses names that are none, and two errors with one code", () => {
  const method = unary(v.string(), v.string());
  for (const name of ["", "a.b", "ä", "x".repeat(65)]) {
    assert.throws(() => defineService("s", { [name]: method }), RangeError);
  }
  const errors = [QuotaExceeded, defineError("other", 0x8010, v.null())];
  assert.throws(() => defineService("s", method, { errors }), RangeError);
  for (const code of [0x8000, 0x8001, 0x1_0000, 4]) {
    assert.throws(() => defineError("e", code, v.null()), RangeError);
  }
});

Deno.test("createTypedClient() hands on the options of a call before its defaults", async () => {
  const { rpc } = start();
  const headers = [textHeader("a", "b")];
  const client = createTypedClient(Search, rpc, { timeoutMs: 5, headers });
  await client.search({ text: "a" }, { timeoutMs: 9 });
  await client.watch({ text: "a" });
  assert.deepEqual(rpc.options, [{ timeoutMs: 9, headers }, { timeoutMs: 5, headers }]);
});

Deno.test("createTypedClient() encodes a request once, however often it is made again (promise 63)", async () => {
  let encoded = 0;
  const rpc = new MemoryRpc();
  const bodies: Uint8Array[] = [];
  const Service = defineService("s", unary(v.any(), v.any()));
  const client = createTypedClient(Service, {
    ...withShapes(rpc),
    call: (_service, body, options) => {
      // What a retry does: the same body again.
      for (let attempt = 0; attempt < (options?.retry?.attempts ?? 1); attempt++) bodies.push(body);
      return Promise.resolve(body);
    },
  });
  const value = { toJSON: () => ++encoded };
  await client(value, { retry: { attempts: 3 } });
  assert.equal(encoded, 1);
  assert.equal(bodies.length, 3);
  assert.ok(bodies.every((body) => body === bodies[0]));
});

/** The shapes of an `Rpc` as a plain object. */
function withShapes(rpc: MemoryRpc) {
  return {
    callStream: rpc.callStream.bind(rpc),
    callClientStream: rpc.callClientStream.bind(rpc),
    callDuplex: rpc.callDuplex.bind(rpc),
  };
}

Deno.test("serveTyped() says where a request is wrong, without its values", async () => {
  const { rpc } = start();
  const send = (text: string) =>
    failure(rpc.call("acme.search.search", new TextEncoder().encode(text)));
  const cases = [
    ["nonsense", "it is no JSON"],
    ["", "it is no JSON"],
    ["{}", '"text" is missing'],
    ['{"text":5}', '"text" must be string, is number'],
    ['{"text":"a","limit":[1]}', '"limit" must be number, is array'],
    ["null", "it must be Object, is null"],
    ['{"text":"a","limit":12345678901234567890}', '"limit" is an integer beyond 2^53 - 1'],
  ] as const;
  for (const [text, reason] of cases) {
    const error = await send(text);
    assert.equal(error.status, Status.badRequest);
    assert.ok(
      error.message.startsWith(`typed handler: bad request body: ${reason}`),
      error.message,
    );
  }
  assert.equal((await failure(rpc.call("acme.search.search", Uint8Array.of(0xff)))).status, 0x8000);
});

Deno.test("serveTyped() answers an undecodable request of a stream as bad request", async () => {
  const { rpc } = start();
  const responses = await rpc.callStream("acme.search.watch", new TextEncoder().encode("{}"));
  const error = await failure(responses.read());
  assert.equal(error.status, Status.badRequest);
  assert.equal(error.message, 'typed streaming handler: bad request body: "text" is missing');
});

Deno.test("an undecodable item ends the call as bad request, whatever the handler makes of it (N6)", async () => {
  const { rpc } = start({
    upload: async (items) => {
      try {
        for await (const _ of items);
      } catch {
        return { count: -1 };
      }
      return { count: 0 };
    },
    chat: async function* (items) {
      yield "first";
      try {
        for await (const text of items) yield text;
      } catch {
        yield "never seen";
      }
    },
  });
  const upload = await rpc.callClientStream("acme.search.upload");
  await upload.send(new TextEncoder().encode("5"));
  assert.equal((await failure(upload.finish())).status, Status.badRequest);
  const chat = await rpc.callDuplex("acme.search.chat");
  await chat.requests.send(new TextEncoder().encode("5"));
  assert.ok(await chat.responses.read());
  assert.equal((await failure(chat.responses.read())).status, Status.badRequest);
});

Deno.test("createTypedClient() says codec_decode for an answer that is not what was declared (N6)", async () => {
  const rpc = new MemoryRpc();
  rpc.serve("acme.search.search", () => new TextEncoder().encode('[{"titel":"a"}]'));
  rpc.serveStream("acme.search.watch", () => [
    new TextEncoder().encode('{"title":"a"}'),
    new TextEncoder().encode("1"),
    new TextEncoder().encode('{"title":"b"}'),
  ]);
  const client = createTypedClient(Search, rpc);
  const error = await failure(client.search({ text: "a" }));
  assert.equal(error.kind, "codec_decode");
  assert.ok(error.message.includes('"0.title" is missing'), error.message);
  const responses = await client.watch({ text: "a" });
  assert.deepEqual(await responses.read(), { title: "a" });
  assert.equal((await failure(responses.read())).kind, "codec_decode");
  assert.equal(rpc.contexts[1]?.signal.aborted, true);
});

Deno.test("values that JSON does not carry exactly are a codec_encode error that names the place", async () => {
  const { client } = start();
  const send = async (
    limit: unknown,
  ) => (await failure(client.search({ text: "a", limit: limit as number })));
  for (
    const [value, words] of [
      [5n, '"limit" is a bigint, which JSON does not have: send it as a text'],
      [NaN, '"limit" is NaN, which JSON does not have'],
      [-Infinity, '"limit" is -Infinity, which JSON does not have'],
      [2 ** 60, '"limit" is an integer beyond 2^53 - 1'],
    ] as const
  ) {
    const error = await send(value);
    assert.equal(error.kind, "codec_encode");
    assert.ok(error.message.includes(words), error.message);
  }
  const upload = await client.upload();
  const error = await failure(upload.send(undefined as unknown as { title: string }));
  assert.equal(error.kind, "codec_encode");
  // The stream itself goes on.
  assert.deepEqual(await upload.finish({ title: "x" }), { count: 1 });
  const Any = defineService("any", unary(v.any(), v.any()));
  const rpc = new MemoryRpc();
  serveTyped(rpc, Any, (value) => value);
  const any = createTypedClient(Any, rpc);
  for (const exact of [null, 1e300, 2 ** 53 - 1, "12345678901234567890", 0.1234567890123456]) {
    assert.deepEqual(await any(exact), exact);
  }
});

Deno.test("a handler's answer that is no JSON is a handler error", async () => {
  const { client } = start({ search: () => 5n as never });
  const error = await failure(client.search({ text: "a" }));
  assert.equal(error.status, Status.handlerError);
  assert.ok(error.message.includes("bigint"));
});

Deno.test("declared errors arrive as what they are, in calls of every shape", async () => {
  const raise = () => {
    throw QuotaExceeded.create({ limit: 5 });
  };
  const { client } = start({ search: raise, watch: raise, upload: raise, chat: raise });
  const upload = await client.upload();
  const chat = await client.chat();
  const calls = [
    client.search({ text: "a" }),
    client.watch({ text: "a" }).then((responses) => responses.read()),
    upload.finish(),
    chat.responses.read(),
  ];
  for (const call of calls) {
    const error: unknown = await call.then(() => undefined, (error) => error);
    assert.ok(QuotaExceeded.is(error));
    const limit: number = error.data.limit;
    assert.equal(limit, 5);
    assert.equal(error.status, 0x8010);
    assert.equal(new TextDecoder().decode(error.body), '{"limit":5}');
    assert.ok(error.cause instanceof RpcError);
  }
});

Deno.test("a declared error with facts that are none is codec_decode; an undeclared code stays a status", async () => {
  const rpc = new MemoryRpc();
  rpc.serve("acme.search.search", (body) => {
    const code = body.length > 14 ? 0x8010 : 0x9000;
    throw new RpcStatusError(code, "x", new TextEncoder().encode("[]"));
  });
  const client = createTypedClient(Search, rpc);
  assert.equal((await failure(client.search({ text: "long one" }))).kind, "codec_decode");
  const error = await failure(client.search({ text: "" }));
  assert.equal(error.kind, "server_error");
  assert.equal(error.status, 0x9000);
});

Deno.test("what a handler throws keeps its kind across the wire", async () => {
  let thrown: unknown;
  const { client } = start({
    search: () => {
      throw thrown;
    },
  });
  const cases: [unknown, number, string][] = [
    [new Error("broken"), Status.handlerError, "failed"],
    ["a text", Status.handlerError, "failed"],
    [new NetError("not_found", "no such index"), Status.notFound, "not_found"],
    [new NetError("not_allowed", "not yours"), Status.unauthorized, "not_allowed"],
    [new NetError("timeout", "too slow"), Status.timeout, "timeout"],
    [new NetError("usage", "no such field"), Status.badRequest, "usage"],
    [new RpcStatusError(0x9001, "own"), 0x9001, "failed"],
    [new RpcError("server_error", "of another", { status: 0x9002 }), 0x9002, "failed"],
  ];
  for (const [each, status, code] of cases) {
    thrown = each;
    const error = await failure(client.search({ text: "a" }));
    assert.equal(error.status, status);
    assert.equal(error.code, code);
    assert.equal(error.message, each instanceof Error ? each.message : "a text");
  }
});

Deno.test("leaving the loop over responses cancels the call", async () => {
  const { rpc, client } = start();
  for await (const _ of await client.watch({ text: "a" })) break;
  assert.equal(rpc.contexts[0]?.signal.aborted, true);
});
