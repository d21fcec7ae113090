/** Every row of the table in `validation.md` 2, over a real socket. */
import { deepStrictEqual, equal, ok } from "node:assert/strict";
import { startHarness } from "./harness.ts";

const GOOD = '{"jsonrpc":"2.0","method":"health.liveness","id":"good"}';
const GOOD_REPLY = '{"jsonrpc":"2.0","result":{"status":"healthy","alive":true},"id":"good"}';

const LIVENESS = '"jsonrpc":"2.0","method":"health.liveness"';

/** Line and the reply's id text and error code; no code for a result. */
const ROWS: readonly (readonly [string | Uint8Array, string, number | undefined])[] = [
  [`{${LIVENESS},"id":1}`, "1", undefined],
  [`{${LIVENESS},"id":1}\r`, "1", undefined],
  ["{not json", "null", -32700],
  [new Uint8Array([0x22, 0xff, 0xfe, 0x22]), "null", -32700],
  [`\ufeff{${LIVENESS},"id":1}`, "null", -32700],
  ["1", "null", -32600],
  ['"x"', "null", -32600],
  ["null", "null", -32600],
  ['{"jsonrpc":"2.0","id":5}', "5", -32600],
  ['{"jsonrpc":"2.0","id":"a","method":7}', '"a"', -32600],
  ['{"jsonrpc":"1.0","id":5,"method":"health.liveness"}', "5", -32600],
  ['{"id":5,"method":"health.liveness"}', "5", -32600],
  ['{"jsonrpc":"2.0","id":[1]}', "null", -32600],
  ['{"jsonrpc":"2.0","id":5,"method":"no.such","params":"probe"}', "5", -32601],
  ['{"jsonrpc":"2.0","id":5,"method":"rpc.discover"}', "5", -32601],
  ['{"jsonrpc":"2.0","id":5,"method":"constructor"}', "5", -32601],
  ['{"jsonrpc":"2.0","id":5,"method":"test.echo","params":"probe"}', "5", -32602],
  ['{"jsonrpc":"2.0","id":5,"method":"test.echo","params":7}', "5", -32602],
  ['{"jsonrpc":"2.0","id":5,"method":"test.echo","params":true}', "5", -32602],
  ['{"jsonrpc":"2.0","id":5,"method":"test.echo","params":["x"]}', "5", -32602],
  ['{"jsonrpc":"2.0","id":5,"method":"test.echo","params":{"text":1}}', "5", -32602],
  [`{${LIVENESS},"id":5,"params":null}`, "5", undefined],
  [`{${LIVENESS},"id":5,"params":[]}`, "5", undefined],
  ['{"jsonrpc":"2.0","id":5,"method":"test.throw"}', "5", -32603],
  ['{"jsonrpc":"2.0","id":5,"method":"test.missing"}', "5", -32004],
  [`{${LIVENESS},"id":null}`, "null", undefined],
  [`{${LIVENESS},"id":-7}`, "-7", undefined],
  [`{${LIVENESS},"id":-0}`, "-0", undefined],
  [`{${LIVENESS},"id":1.50}`, "1.50", undefined],
  [`{${LIVENESS},"id":1e400}`, "1e400", undefined],
  [`{${LIVENESS},"id":9007199254740993}`, "9007199254740993", undefined],
  [`{${LIVENESS},"id":""}`, '""', undefined],
  [`{${LIVENESS},"id":"é\\n"}`, '"é\\n"', undefined],
  [`{${LIVENESS},"id":{"a":1}}`, "null", -32600],
  [`{${LIVENESS},"id":[1]}`, "null", -32600],
  [`{${LIVENESS},"id":true}`, "null", -32600],
  ["[]", "null", -32600],
  [`{"jsonrpc":"2.0","method":"no.such","id":1,"method":"health.liveness","id":2}`, "2", undefined],
  [`{${LIVENESS},"id":1,"__proto__":{"id":2},"constructor":3}`, "1", undefined],
  ['{"__proto__":{"jsonrpc":"2.0","method":"health.liveness","id":1}}', "null", -32600],
  ['{"jsonrpc":"2.0","id":5,"method":"__proto__"}', "5", -32601],
  ['{"jsonrpc":"2.0","id":5,"method":""}', "5", -32601],
  ['{"jsonrpc":"2.0","id":5,"method":null}', "5", -32600],
  ['{"jsonrpc":2.0,"id":5,"method":"health.liveness"}', "5", -32600],
  [`{${LIVENESS},"id":5,"params":{"unknown":1}}`, "5", undefined],
  [`{${LIVENESS},"id":5} trailing`, "null", -32700],
  [`\u00a0{${LIVENESS},"id":5}`, "null", -32700],
  [`{${LIVENESS},"id":"a\u0000"}`, "null", -32700],
  ["\u0000", "null", -32700],
  [`[{${LIVENESS},"id":1}`, "null", -32700],
  ["[".repeat(129) + "]".repeat(129), "null", -32700],
  [`{${LIVENESS},"id":5,"params":${"[".repeat(128)}${"]".repeat(128)}}`, "null", -32700],
  ["[".repeat(300_000), "null", -32700],
  [`[${"1,".repeat(256)}1]`, "null", -32600],
];

Deno.test("V16: control server answers every row of the table and a good request after each", async () => {
  await using harness = await startHarness();
  using client = await harness.connect();
  for (const [line, id, code] of ROWS) {
    const reply = await client.ask(line);
    ok(reply !== undefined);
    const parsed = JSON.parse(reply);
    equal(parsed.error?.code, code, reply);
    ok(reply.endsWith(`"id":${id}}`), `${reply} has not id ${id}`);
    equal(Object.hasOwn(parsed, "result"), code === undefined);
    equal(Object.hasOwn(parsed, "error"), code !== undefined);
    equal(await client.ask(GOOD), GOOD_REPLY);
  }
  ok(!harness.log.join("\n").includes("undefined"));
});

Deno.test("V16: control server hides what a handler threw and shows what an error is for", async () => {
  await using harness = await startHarness();
  using client = await harness.connect();
  const hidden = await client.ask('{"jsonrpc":"2.0","id":5,"method":"test.throw"}');
  ok(!hidden?.includes("secret"));
  ok(harness.log.some((line) => line.includes("method_failed") && line.includes("test.throw")));
  await client.send('{"jsonrpc":"2.0","id":5,"method":"test.missing"}\n');
  deepStrictEqual((await client.json()).error, {
    code: -32004,
    message: "Cannot find it",
    data: { at: 3, code: "not_found", next: "look elsewhere" },
  });
});

Deno.test("V16: control server does not answer notifications, not even wrong ones", async () => {
  await using harness = await startHarness();
  using client = await harness.connect();
  await client.send(`{${LIVENESS}}\n`);
  await client.send(
    '{"jsonrpc":"2.0","method":"no.such"}\n{"jsonrpc":"2.0","method":"test.throw"}\n',
  );
  await client.send(`[{${LIVENESS}},{"jsonrpc":"2.0","method":"no.such"}]\n\n  \n`);
  equal(await client.ask(GOOD), GOOD_REPLY);
});

Deno.test("V16: control server answers batches", async () => {
  await using harness = await startHarness();
  using client = await harness.connect();
  await client.send(
    `[{${LIVENESS},"id":1},{${LIVENESS}},{"jsonrpc":"2.0","method":"test.missing","id":2}]\n`,
  );
  const replies = await client.json();
  deepStrictEqual(replies.map((reply: { id: number }) => reply.id).sort(), [1, 2]);
  await client.send("[1,2]\n");
  const bad = await client.json();
  deepStrictEqual(bad.map((reply: { error: { code: number } }) => reply.error.code), [
    -32600,
    -32600,
  ]);
});

Deno.test("V16: control server answers duplicate ids in flight independently", async () => {
  await using harness = await startHarness();
  using client = await harness.connect();
  const wait = '{"jsonrpc":"2.0","method":"test.wait","id":1}\n';
  await client.send(wait + wait);
  equal(await client.ask(GOOD), GOOD_REPLY);
  harness.gate.open();
  const reply = '{"jsonrpc":"2.0","result":{"ended":"opened"},"id":1}';
  deepStrictEqual([await client.line(), await client.line()], [reply, reply]);
});

Deno.test("V18: control server closes after a line that is too long", async () => {
  await using harness = await startHarness({ limits: { lineBytesMax: 5000 } });
  using exact = await harness.connect();
  const start = `{${LIVENESS},"id":"good","x":"`;
  equal(await exact.ask(`${start}${"x".repeat(5000 - start.length - 2)}"}`), GOOD_REPLY);
  for (const tail of ["", "\n"]) {
    using client = await harness.connect();
    await client.send("x".repeat(5001) + tail);
    equal((await client.json()).error.code, -32600);
    equal(await client.line(), undefined);
  }
  equal(harness.server.counters.connections_oversized_total, 2);
});

Deno.test("V18: control server serves others after a line that fills its buffer to the last byte", async () => {
  await using harness = await startHarness({ limits: { lineBytesMax: 5000 } });
  using client = await harness.connect();
  await client.send("x".repeat(200_000));
  equal((await client.json()).error.code, -32600);
  equal(await client.line(), undefined);
  using other = await harness.connect();
  equal(await other.ask(GOOD), GOOD_REPLY);
});

Deno.test("V33: control server tells HTTP and TLS clients what it expects, closes and serves others", async () => {
  await using harness = await startHarness();
  const hello = new Uint8Array(200).fill(0x0a);
  hello.set([0x16, 0x03, 0x01, 0x00, 0xc3]);
  const starts: readonly (readonly [string, readonly (string | Uint8Array)[]])[] = [
    ["HTTP", ["GET / HTTP/1.1\r\nHost: x\r\n\r\n"]],
    ["HTTP", ["POST /rpc HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"]],
    ["HTTP", ["HEAD / HTTP/1.0\r\n\r\n"]],
    ["HTTP", ["PUT /x HTTP/1.1\r\n"]],
    ["HTTP", ["OPTIONS * HTTP/1.1\r\n"]],
    ["HTTP", ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]],
    ["HTTP", ["G", "E", "T", " "]],
    ["TLS", [hello]],
    ["TLS", [hello.slice(0, 1)]],
  ];
  for (const [protocol, parts] of starts) {
    using client = await harness.connect();
    for (const part of parts) {
      await client.send(part);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const reply = await client.json();
    equal(reply.error.code, -32600);
    equal(reply.id, null);
    ok(reply.error.message.startsWith(protocol) && reply.error.message.includes("per line"));
    equal(await client.line(), undefined);
  }
  equal(harness.server.counters.connections_http_total, 7);
  equal(harness.server.counters.connections_tls_total, 2);
  using good = await harness.connect();
  equal(await good.ask(GOOD), GOOD_REPLY);
});

Deno.test("V16: control server takes a complete last line without a newline", async () => {
  await using harness = await startHarness();
  using client = await harness.connect();
  await client.send(GOOD);
  await client.closeWrite();
  equal(await client.line(), GOOD_REPLY);
  equal(await client.line(), undefined);
  using partial = await harness.connect();
  await partial.send(GOOD.slice(0, 20));
  await partial.closeWrite();
  equal((await partial.json()).error.code, -32700);
  equal(await partial.line(), undefined);
});

Deno.test("V16: control server finishes pending replies of a half-closed client", async () => {
  await using harness = await startHarness();
  using client = await harness.connect();
  await client.send('{"jsonrpc":"2.0","method":"test.wait","id":1}\n');
  await client.closeWrite();
  using other = await harness.connect();
  equal(await other.ask(GOOD), GOOD_REPLY);
  harness.gate.open();
  equal((await client.json()).result.ended, "opened");
  equal(await client.line(), undefined);
});

Deno.test("control server ends the calls of a client that is gone, though they say nothing", async () => {
  await using harness = await startHarness();
  {
    using client = await harness.connect();
    await client.send('{"jsonrpc":"2.0","method":"test.wait","id":1}\n');
    // Answered behind it, so that it runs.
    equal(await client.ask(GOOD), GOOD_REPLY);
    equal(harness.server.counters.requests_in_flight, 1);
  }
  while (harness.server.counters.requests_in_flight > 0) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  equal(harness.server.activeConnections, 0);
});
