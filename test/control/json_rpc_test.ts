import { deepStrictEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { NetError, utf8 } from "../../src/base/mod.ts";
import {
  errorAnswer,
  looksLikeHttp,
  progressLine,
  readRpcLine,
  resultReply,
} from "../../src/control/json_rpc.ts";

const idOf = (text: string) => {
  const reading = readRpcLine(utf8(text));
  return reading.kind === "batch" ? undefined : reading.id;
};

Deno.test("readRpcLine() keeps an id's source text", () => {
  const ids = ["1", "0", "-5", "1.0", "1e2", "-0", "1.5", "9007199254740993", '"a"', '"\\u0041"'];
  for (const id of ids) {
    const shown = id === '"\\u0041"' ? '"A"' : id;
    equal(idOf(`{"jsonrpc":"2.0","method":"m.m","id":${id}}`), shown);
    equal(idOf(`{"id" : ${id} , "jsonrpc":"2.0","method":"m.m","params":{"id":3}}`), shown);
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

Deno.test("errorAnswer() shows nothing of the inside", () => {
  const answer = errorAnswer(new Error("/home/ada/secret"));
  equal(answer.code, -32603);
  ok(!JSON.stringify(answer).includes("secret"));
  const known = errorAnswer(new NetError("limit", "Too much", { next: "wait", data: { n: 1 } }));
  deepStrictEqual(known.data, { n: 1, code: "limit", next: "wait" });
  equal(known.code, -32001);
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

Deno.test("looksLikeHttp() knows the methods and nothing else", () => {
  for (const start of ["GET / H", "POST /x", "PRI * HTTP/2.0", "OPTIONS *"]) {
    ok(looksLikeHttp(utf8(start)), start);
  }
  for (const start of ['{"json', "GETTER ", "G", "", "get / h"]) {
    ok(!looksLikeHttp(utf8(start)), start);
  }
});
