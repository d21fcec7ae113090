import assert from "node:assert/strict";
import fc from "fast-check";
import type { RpcHeader } from "../../../src/rpc/mod.ts";
import {
  headerNumber,
  headersLength,
  headerText,
  headerValue,
  readHeaders,
  textHeader,
  writeHeaders,
} from "../../../src/rpc/wire/mod.ts";

function encode(headers: readonly RpcHeader[]): Uint8Array {
  const bytes = new Uint8Array(headersLength(headers));
  assert.equal(writeHeaders(bytes, 0, headers), bytes.length);
  return bytes;
}

const many = (count: number) => Array.from({ length: count }, (_, at) => textHeader(`h${at}`, ""));
const valued = (length: number): RpcHeader => ({ name: "v", value: new Uint8Array(length) });

Deno.test("headers come back as they were written", () => {
  const anyHeader = fc.record({
    name: fc.string({ unit: "binary", minLength: 1, maxLength: 16 }),
    value: fc.uint8Array({ maxLength: 200 }),
  });
  fc.assert(fc.property(fc.array(anyHeader, { maxLength: 32 }), (headers) => {
    const bytes = encode(headers);
    const read = readHeaders(bytes, 0);
    assert.equal(read?.end, bytes.length);
    assert.deepEqual(
      read.headers.map(({ name, value }) => [name, [...value]]),
      headers.map(({ name, value }) => [name, [...value]]),
    );
  }));
});

Deno.test("readHeaders() and writeHeaders() take what the caps allow, and no more", () => {
  const fitting: readonly (readonly RpcHeader[])[] = [
    many(32),
    [textHeader("n".repeat(64), "")],
    [textHeader("é".repeat(32), "")],
    [valued(4_096)],
  ];
  for (const headers of fitting) {
    assert.equal(readHeaders(encode(headers), 0)?.headers.length, headers.length);
  }
  const beyond: readonly (readonly RpcHeader[])[] = [
    many(33),
    [textHeader("n".repeat(65), "")],
    [textHeader("é".repeat(33), "")],
    [textHeader("", "")],
    [valued(4_097)],
  ];
  for (const headers of beyond) {
    assert.throws(() => writeHeaders(new Uint8Array(8_192), 0, headers), RangeError);
  }
});

Deno.test("readHeaders() refuses what another encoder sends beyond the caps", () => {
  const tooMany = encode(many(32));
  tooMany[0] = 33;
  assert.equal(readHeaders(Uint8Array.of(...tooMany, 1, 0x61, 0, 0), 0), undefined);
  const longName = Uint8Array.of(1, 65, ...new Uint8Array(65).fill(0x61), 0, 0);
  assert.equal(readHeaders(longName, 0), undefined);
  assert.equal(readHeaders(Uint8Array.of(1, 0, 0, 0), 0), undefined);
  const longValue = Uint8Array.of(1, 1, 0x61, 0x01, 0x10, ...new Uint8Array(4_097));
  assert.equal(readHeaders(longValue, 0), undefined);
  assert.equal(readHeaders(Uint8Array.of(1, 1, 0xff, 0, 0), 0), undefined, "no UTF-8");
});

Deno.test("readHeaders() refuses every prefix, and lengths that reach too far", () => {
  const bytes = encode([textHeader("name", "value"), valued(3)]);
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(readHeaders(bytes.subarray(0, length), 0), undefined, `${length} bytes`);
  }
  for (const [at, value] of [[0, 3], [1, 5], [6, 6], [7, 1]] as const) {
    const lying = bytes.slice();
    lying[at] = value;
    assert.equal(readHeaders(lying, 0), undefined, `byte ${at}`);
  }
});

Deno.test("a name that is nothing but a byte order mark stays one", () => {
  const bytes = encode([textHeader("\ufeff", "x"), textHeader("\ufeffa", "y")]);
  assert.deepEqual(readHeaders(bytes, 0)?.headers.map(({ name }) => name), ["\ufeff", "\ufeffa"]);
});

Deno.test("values read are copies", () => {
  const bytes = encode([valued(3)]);
  const [header] = readHeaders(bytes, 0)?.headers ?? [];
  bytes.fill(0xee);
  assert.deepEqual([...header?.value ?? []], [0, 0, 0]);
});

Deno.test("headers are found in whatever case, the first one counts", () => {
  const headers = [textHeader("TraceParent", "a"), textHeader("traceparent", "b")];
  assert.equal(headerText(headers, "TRACEPARENT"), "a");
  assert.equal(headerValue(headers, "tracestate"), undefined);
});

Deno.test("headerNumber() takes ASCII digits only, and no more than 32 bits", () => {
  const read = (text: string) => headerNumber([textHeader("n", text)], "n");
  assert.deepEqual(["0", "16", "007", "4294967295"].map(read), [0, 16, 7, 0xffff_ffff]);
  assert.equal(read("99999999999999999999"), 0xffff_ffff);
  assert.deepEqual(
    ["", "-1", "+1", "1.5", " 1", "1 ", "0x10", "1e3", "٣"].map(read),
    Array(9).fill(undefined),
  );
});
