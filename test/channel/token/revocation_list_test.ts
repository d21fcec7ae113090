import assert from "node:assert/strict";
import fc from "fast-check";
import { utf8 } from "../../../src/base/mod.ts";
import {
  formatRevocationList,
  parseRevocationList,
  REVOCATION_FILE_BYTES_MAX,
} from "../../../src/channel/mod.ts";

const ONE = "01".repeat(32);
const TWO = "02".repeat(32);

function parse(text: string) {
  const parsed = parseRevocationList(utf8(text));
  return parsed.ok
    ? parsed.floors.map(({ issuer, floor }) => `${issuer[0]}:${floor}`).join(" ")
    : parsed.fault;
}

Deno.test("formatRevocationList() writes pretty JSON in the order of the issuers", () => {
  const floors = [[TWO, 1], [ONE, 4294967295], [TWO, 7], [TWO, 3], ["03".repeat(32), 0]] as const;
  assert.equal(
    formatRevocationList(
      floors.map(([hex, floor]) => ({ issuer: Uint8Array.fromHex(hex), floor })),
    ),
    `{
  "floors": [
    {
      "issuer": "${ONE}",
      "generation": 4294967295
    },
    {
      "issuer": "${TWO}",
      "generation": 7
    }
  ]
}`,
  );
});

Deno.test("parseRevocationList() gives back what formatRevocationList() wrote", () => {
  const floor = fc.record({
    issuer: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    floor: fc.integer({ min: 1, max: 0xffff_ffff }),
  });
  fc.assert(
    fc.property(fc.uniqueArray(floor, { selector: ({ issuer }) => issuer.toHex() }), (list) => {
      const text = formatRevocationList(list);
      const parsed = parseRevocationList(utf8(text));
      assert.ok(parsed.ok && formatRevocationList(parsed.floors) === text);
      assert.equal(parsed.floors.length, list.length);
    }),
  );
});

Deno.test("parseRevocationList() keeps the highest floor of an issuer and passes over the unknown", () => {
  const entry = (issuer: string, generation: number) =>
    JSON.stringify({ issuer, generation, x: 1 });
  const entries = [entry(TWO, 2), entry(ONE, 9), entry(TWO, 5), entry(TWO, 1)];
  assert.equal(parse(`{"note":{},"floors":[${entries}]}`), "1:9 2:5");
  assert.equal(parse(`{"floors":[{"issuer":"${"aB".repeat(32)}","generation":1}]}`), "171:1");
  assert.equal(parse('{"floors":[]}'), "");
});

Deno.test("parseRevocationList() refuses everything else", () => {
  assert.equal(parse(""), "not_json");
  assert.equal(parse("{"), "not_json");
  assert.equal(parse("[".repeat(100_000)), "not_json");
  for (const text of ["1", "null", "[]", "{}", '{"floors":{}}']) {
    assert.equal(parse(text), "no_floors");
  }
  for (
    const entry of [
      "1",
      "null",
      "[]",
      "{}",
      `{"issuer":"${ONE}"}`,
      `{"issuer":"${ONE}","generation":-1}`,
      `{"issuer":"${ONE}","generation":1.5}`,
      `{"issuer":"${ONE}","generation":4294967296}`,
      `{"issuer":"${ONE}","generation":"1"}`,
      `{"issuer":"${ONE.slice(2)}","generation":1}`,
      `{"issuer":"${ONE.slice(2)}zz","generation":1}`,
    ]
  ) assert.equal(parse(`{"floors":[${entry}]}`), "entry", entry);
  const long = new Uint8Array(REVOCATION_FILE_BYTES_MAX + 1).fill(0x20);
  assert.deepEqual(parseRevocationList(long), { ok: false, fault: "too_long" });
  assert.deepEqual(parseRevocationList(new Uint8Array([0xff])), { ok: false, fault: "not_json" });
});
