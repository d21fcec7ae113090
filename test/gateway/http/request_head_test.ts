import assert from "node:assert/strict";
import fc from "fast-check";
import { findHeadEnd, parseRequestHead } from "../../../src/gateway/http/request_head.ts";
import { ascii } from "./raw_client.ts";

function parse(text: string) {
  return parseRequestHead(ascii(text));
}

function statusOf(text: string): number {
  const parsed = parse(text);
  return parsed.ok ? 200 : parsed.fault.status;
}

Deno.test("parseRequestHead() reads what clients send", () => {
  const parsed = parse(
    "PUT /o?x=1 HTTP/1.1\r\nHost: localhost:80\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n" +
      "X-Empty:\r\nX-Tab:\t a b \t\r\n\r\n",
  );
  assert.ok(parsed.ok);
  const { method, target, host, body, keepsAlive, expectsContinue, headers } = parsed.head;
  assert.deepEqual([method, target, host], ["PUT", "/o?x=1", "localhost:80"]);
  assert.deepEqual(body, { kind: "length", bytes: 5 });
  assert.ok(keepsAlive && expectsContinue);
  assert.deepEqual(headers.slice(-2), [["x-empty", ""], ["x-tab", "a b"]]);
});

Deno.test("parseRequestHead() takes the host of an absolute target", () => {
  const parsed = parse("GET http://example.org:81?q HTTP/1.1\r\nHost: other\r\n\r\n");
  assert.ok(parsed.ok);
  assert.deepEqual([parsed.head.host, parsed.head.target], ["example.org:81", "/?q"]);
});

Deno.test("parseRequestHead() keeps connections as each version does", () => {
  const keeps = (text: string) => {
    const parsed = parse(text);
    return parsed.ok && parsed.head.keepsAlive;
  };
  assert.ok(keeps("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  assert.ok(!keeps("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n"));
  assert.ok(!keeps("GET / HTTP/1.0\r\n\r\n"));
  assert.ok(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
});

Deno.test("parseRequestHead() refuses what two readers may understand differently", () => {
  const get = (more: string) => statusOf(`POST / HTTP/1.1\r\nHost: a\r\n${more}\r\n`);
  assert.equal(get(""), 200);
  assert.equal(get("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400);
  assert.equal(get("Content-Length: 3\r\nContent-Length: 3\r\n"), 400);
  assert.equal(get("Content-Length: +3\r\n"), 400);
  assert.equal(get("Content-Length: 3, 3\r\n"), 400);
  assert.equal(get("Content-Length: 0x3\r\n"), 400);
  assert.equal(get("Content-Length: 9999999999999999\r\n"), 400);
  assert.equal(get("Transfer-Encoding: gzip, chunked\r\n"), 501);
  assert.equal(get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 501);
  assert.equal(get("Host: b\r\n"), 400);
  assert.equal(get("A : b\r\n"), 400);
  assert.equal(get(": b\r\n"), 400);
  assert.equal(get("A: b\r\n c\r\n"), 400);
  assert.equal(get("A: b\nC: d\r\n"), 400);
  assert.equal(get("A: b\rC: d\r\n"), 400);
  assert.equal(get("A: \0\r\n"), 400);
  assert.equal(get("Expect: tea\r\n"), 417);
});

Deno.test("parseRequestHead() refuses request lines that are none", () => {
  assert.equal(statusOf("GET / HTTP/1.1\r\n\r\n"), 400); // No Host.
  assert.equal(statusOf("GET / HTTP/1.0\r\n\r\n"), 200);
  assert.equal(statusOf("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  assert.equal(statusOf("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
  assert.equal(statusOf("GET / http/1.1\r\nHost: a\r\n\r\n"), 400);
  assert.equal(statusOf("GET o HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  assert.equal(statusOf("GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  assert.equal(statusOf("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"), 501);
  assert.equal(statusOf("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400);
  assert.equal(statusOf("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  assert.equal(statusOf(`GET /${"a".repeat(8_192)} HTTP/1.1\r\nHost: a\r\n\r\n`), 414);
  assert.equal(statusOf(`GET / HTTP/1.1\r\nHost: a\r\n${"A: b\r\n".repeat(100)}\r\n`), 431);
  assert.equal(statusOf("\x16\x03\x01\r\n\r\n"), 400);
});

Deno.test("parseRequestHead() answers any bytes with a head or a status", () => {
  const piece = fc.oneof(
    fc.constantFrom("GET", " ", "/", "HTTP/1.1", "\r\n", "Host", ":", "a", "Content-Length: 1"),
    fc.string({ maxLength: 8 }),
  );
  fc.assert(fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
    const parsed = parse(`${pieces.join("")}\r\n\r\n`);
    if (!parsed.ok) return parsed.fault.status >= 400 && parsed.fault.status < 600;
    return /^[/*]/.test(parsed.head.target) && parsed.head.method !== "";
  }));
});

Deno.test("findHeadEnd() finds the empty line however the bytes come", () => {
  const bytes = ascii("GET / HTTP/1.1\r\nA: b\r\n\r\nrest");
  const end = bytes.length - 4;
  for (let seen = 0; seen < end; seen++) {
    assert.equal(findHeadEnd(bytes.subarray(0, seen)), undefined);
    assert.equal(findHeadEnd(bytes, Math.min(seen, end - 1)), end);
  }
});
