/** TOML of strangers: read with limits, refused with a place. */
import assert from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import { parseToml, TOML_LENGTH_MAX } from "../../src/config/mod.ts";

Deno.test("TOML is read, large integers exactly", () => {
  const tables = parseToml('[primal]\nname = "net"\nbig = 9007199254740993\nports = [1, 2]\n', "m");
  assert.deepEqual({ ...tables.primal as object }, {
    name: "net",
    big: 9007199254740993n,
    ports: [1, 2],
  });
});

Deno.test("TOML that is none is refused with line and column", () => {
  for (const text of ["a = ", "[x\n", "a = 1\na = 2", "[a]\n[a]", "\u0000", "[".repeat(1000)]) {
    assert.throws(() => parseToml(text, "manifest.lock"), (error) => {
      assert.ok(error instanceof NetError, String(error));
      assert.equal(error.code, "usage");
      assert.match(error.message, /^manifest\.lock:\d+:\d+: \S/);
      return true;
    }, text);
  }
});

Deno.test("TOML names no prototype", () => {
  const tables = parseToml('[__proto__]\npolluted = "yes"\n', "m");
  assert.equal(Reflect.get({}, "polluted"), undefined);
  assert.equal(Object.hasOwn(tables, "__proto__"), true);
});

Deno.test("TOML that is too long is refused before it is read", () => {
  assert.throws(() => parseToml(" ".repeat(TOML_LENGTH_MAX + 1), "m"), /more than/);
});
