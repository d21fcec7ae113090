import { deepStrictEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { NetError, utf8 } from "../../src/base/mod.ts";
import {
  errorAnswer,
  foreignProtocol,
  progressLine,
  readRpcLine,
  resultReply,
} from "../../src/control/json_rpc.ts";

const idOf = (text: string) => {
  const reading = readRpcLine(utf8(text));
  return reading.kind === "batch" ? undefined : reading.id;
};

Deno.test("readRpcLine() keeps an id's source text", () => {
  const ids = [
    ...[
      "1",
      "0",
      "-5",
      "1.0",
      "1e2",
      "-0",
      "-0.0",
      "1.5",
      "0.10",
      "1E+2",
      "1e400",
      "-1e400",
      "1e-400",
    ],
    ...["9007199254740993", "-9007199254740993", "1".repeat(400), '"a"', '"\\u0041"', '""', "null"],
  ];
  for (const id of ids) {
    const shown = id === '"\\u0041"' ? '"A"' : id;
    equal(idOf(`{"jsonrpc":"2.0","method":"m.m","id":${id}}`), shown);
    equal(idOf(`{"id" : ${id} , "jsonrpc":"2.0","method":"m.m","params":{"id":3}}`), shown);
    // The same number written in another way, in another place, is not the id.
    const decoy = `{"id":1,"a":["id",{"id":-0}]}`;
    equal(idOf(`{"params":${decoy},"jsonrpc":"2.0","method":"m.m","i\\u0064":\t${id}}`), shown);
  }
});

Deno.test("readRpcLine() takes the last of duplicate keys", () => {
  equal(idOf('{"jsonrpc":"2.0","method":"m.m","id":1,"id":2.0}'), "2.0");
  equal(idOf('{"jsonrpc":"2.0","method":"m.m","id":1.0,"id":2}'), "2");
});

Deno.test("readRpcLine() keeps the ids of a batch's members apart", () => {
  const reading = readRpcLine(utf8(
    '[{"jsonrpc":"2.0","method":"a.a","id":1.0},{"jsonrpc":"2.0","method":"a.a","id":12345678901234567890},7]',
  ));
  ok(reading.kind === "batch");
  deepStrictEqual(reading.members.map((member) => [member.kind, member.id]), [
    ["request", "1.0"],
    ["request", "12345678901234567890"],
    ["reject", "null"],
  ]);
});

Deno.test("readRpcLine() finds the id of each member of a batch, whatever stands between", () => {
  const members = [
    ['{"id":1.0,"jsonrpc":"2.0","method":"a.a","params":[{"id":7},[],"}","id"]}', "1.0"],
    ['["x","id",2.0]', "null"],
    ['{"jsonrpc":"2.0","params":{"id":4.0},"method":"a.a"}', undefined],
    ['"id"', "null"],
    ['{"jsonrpc":"2.0","method":"a.a","id":"\\"id\\":9.0"}', '"\\"id\\":9.0"'],
    ['{"jsonrpc":"2.0","method":"a.a","id":{"id":3.0}}', "null"],
    ['{"jsonrpc":"2.0","method":"a.a","id":1e2}', "1e2"],
  ] as const;
  const reading = readRpcLine(utf8(` [${members.map(([text]) => text).join(" ,\n ")} ] `));
  ok(reading.kind === "batch");
  deepStrictEqual(reading.members.map(({ id }) => id), members.map(([, id]) => id));
});

Deno.test("readRpcLine() takes keys of the prototype for what they are: keys", () => {
  const reading = readRpcLine(utf8(
    '{"__proto__":{"method":"m.m","jsonrpc":"2.0","id":1},"params":{"__proto__":{"a":1}}}',
  ));
  ok(reading.kind === "reject" && reading.code === -32600 && reading.id === "null");
  const inherited = readRpcLine(utf8(
    '{"jsonrpc":"2.0","method":"m.m","params":{"__proto__":{"a":1}},"__proto__":{"id":1}}',
  ));
  ok(inherited.kind === "request" && inherited.id === undefined);
  equal(Object.getPrototypeOf(inherited.params), Object.prototype);
});

Deno.test("readRpcLine() finds an id behind a megabyte without parsing it again", () => {
  const line = utf8(
    `{"params":[${'{"id":1},'.repeat(100_000)}0],"jsonrpc":"2.0","method":"m.m","id":5.0}`,
  );
  ok(line.length > 900_000);
  const reading = readRpcLine(line);
  ok(reading.kind === "request" && reading.id === "5.0");
});

Deno.test("readRpcLine() limits depth and batch length", () => {
  const nested = (depth: number) =>
    readRpcLine(
      utf8(
        `{"jsonrpc":"2.0","method":"m.m","id":1,"params":${"[".repeat(depth)}${"]".repeat(depth)}}`,
      ),
    );
  equal(nested(127).kind, "request");
  const deep = nested(128);
  ok(deep.kind === "reject" && deep.code === -32700);
  const batch = readRpcLine(utf8(`[${Array(257).fill("1").join(",")}]`));
  ok(batch.kind === "reject" && batch.code === -32600);
  const inString = readRpcLine(
    utf8(`{"jsonrpc":"2.0","method":"m.m","id":1,"params":{"a":"${'\\"['.repeat(200)}"}}`),
  );
  equal(inString.kind, "request");
});

Deno.test("readRpcLine() never throws on hostile bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
    ok(readRpcLine(new Uint8Array(bytes)).kind.length > 0);
  }));
  fc.assert(fc.property(fc.json(), (text) => {
    ok(readRpcLine(utf8(text)).kind.length > 0);
  }));
});

Deno.test("readRpcLine() echoes any JSON number and string as the same value", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.string()),
      (id) => {
        const text = JSON.stringify(id);
        equal(idOf(`{"id":${text},"jsonrpc":"2.0","method":"m.m"}`), text);
      },
    ),
  );
});

Deno.test("readRpcLine() echoes any number as it is written, beside any other members", () => {
  const digits = fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: 1, maxLength: 30 });
  const number = fc.tuple(
    fc.constantFrom("", "-"),
    fc.oneof(fc.constant("0"), digits.map((text) => `1${text}`)),
    fc.oneof(fc.constant(""), digits.map((text) => `.${text}`)),
    fc.oneof(fc.constant(""), digits.map((text) => `e-${text.slice(0, 3)}`)),
  ).map((parts) => parts.join(""));
  fc.assert(fc.property(number, fc.json(), fc.json(), (id, before, after) => {
    equal(idOf(`{"a":${before},"jsonrpc":"2.0","method":"m.m","id":${id},"b":${after}}`), id);
    const batch = readRpcLine(
      utf8(`[${before},{"jsonrpc":"2.0","method":"m.m","id":${id}},${after}]`),
    );
    ok(batch.kind === "batch");
    equal(batch.members[1]?.id, id);
  }));
});

Deno.test("errorAnswer() shows nothing of the inside", () => {
  const answer = errorAnswer(new Error("/home/ada/secret"));
  equal(answer.code, -32603);
  ok(!JSON.stringify(answer).includes("secret"));
  const known = errorAnswer(new NetError("limit", "Too much", { next: "wait", data: { n: 1 } }));
  deepStrictEqual(known.data, { n: 1, code: "limit", next: "wait" });
  equal(known.code, -32001);
  equal(errorAnswer(new NetError("backpressure", "Later")).data.retry_after_ms, 1000);
});

Deno.test("progressLine() carries the id unchanged and last word over data's own", () => {
  equal(
    progressLine("1.0", { id: 5, done: 2 }),
    '{"jsonrpc":"2.0","method":"$/progress","params":{"id":1.0,"done":2}}',
  );
  equal(progressLine("1", {}), '{"jsonrpc":"2.0","method":"$/progress","params":{"id":1}}');
});

Deno.test("resultReply() turns undefined into null", () => {
  equal(resultReply("null", undefined), '{"jsonrpc":"2.0","result":null,"id":null}');
});

Deno.test("foreignProtocol() knows HTTP, TLS and BTSP, and nothing else", () => {
  const http = ["GET / H", "POST /x", "PUT /", "HEAD /", "OPTIONS *", "PRI * HTTP/2.0\r\n\r\nSM"];
  for (const start of http) equal(foreignProtocol(utf8(start)), "HTTP", start);
  equal(foreignProtocol(new Uint8Array([0x16, 3, 1, 2, 0])), "TLS");
  equal(foreignProtocol(new Uint8Array([0, 0, 0, 80, 0x7b])), "BTSP");
  for (const start of ['{"json', "GETTER ", "G", "", "get / h", "["]) {
    equal(foreignProtocol(utf8(start)), undefined, start);
  }
});
