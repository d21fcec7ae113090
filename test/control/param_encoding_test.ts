import { deepStrictEqual, equal, throws } from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import { decodeParams } from "../../src/control/param_encoding.ts";

Deno.test("V16: decodeParams() turns every encoding into Base64", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["+/8=", "base64", "+/8="],
    ["-_8", "base64url", "+/8="],
    ["-_8=", "base64url", "+/8="],
    ["fbFF", "hex", "+/8="],
    ["é", "utf8", "w6k="],
    ["é", "none", "w6k="],
    ["", "hex", ""],
  ];
  for (const [data, data_encoding, expected] of cases) {
    deepStrictEqual(decodeParams({ data, data_encoding, n: 1 }), { data: expected, n: 1 });
  }
});

Deno.test("decodeParams() leaves alone what has no hint, and what lies deeper", () => {
  const plain = { data: "x", encoding: "hex", stripe_encoding: "7" };
  equal(decodeParams(plain), plain);
  const deep = { rows: [{ body: "ff", body_encoding: "hex" }] };
  equal(decodeParams(deep), deep);
  const own = JSON.parse('{"__proto__":"ff","__proto___encoding":"hex"}');
  equal(Object.getPrototypeOf(decodeParams(own)), Object.prototype);
});

Deno.test("decodeParams() refuses hints that do not fit", () => {
  for (
    const fields of [
      { data: "xyz", data_encoding: "hex" },
      { data: "f", data_encoding: "hex" },
      { data: "+/", data_encoding: "base64url" },
      { data: "x", data_encoding: "rot13" },
      { data: "x", data_encoding: 7 },
      { data: 5, data_encoding: "hex" },
    ]
  ) {
    throws(
      () => decodeParams(fields),
      (error) => error instanceof NetError && error.code === "usage",
    );
  }
});
