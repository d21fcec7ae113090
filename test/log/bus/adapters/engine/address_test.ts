/** Addresses of engines and what is hidden of them. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseEngineAddress } from "../../../../../src/log/bus/adapters/engine/mod.ts";
import { BusError } from "../../../../../src/log/bus/mod.ts";

const RULES = { engine: "Redis", schemes: ["redis", "rediss"], portDefault: 6379 };

Deno.test("parseEngineAddress() takes addresses apart", () => {
  const cases: readonly (readonly [string, unknown[]])[] = [
    ["redis://h", ["h", 6379, undefined, undefined, "", "h:6379"]],
    ["REDISS://h:1/2", ["h", 1, undefined, undefined, "2", "h:1"]],
    ["redis://u:p@h:1", ["h", 1, "u", "p", "", "h:1"]],
    ["redis://:p%40q@h", ["h", 6379, undefined, "p@q", "", "h:6379"]],
    ["redis://u:p@q/r#s?t@[::1]:7/0", ["::1", 7, "u", "p@q/r#s?t", "0", "[::1]:7"]],
    ["redis://u:100%@h", ["h", 6379, "u", "100%", "", "h:6379"]],
    ["redis://token@h", ["h", 6379, "token", undefined, "", "h:6379"]],
  ];
  for (const [text, wanted] of cases) {
    const { host, port, user, password, rest, place } = parseEngineAddress(text, RULES);
    assert.deepEqual([host, port, user, password, rest, place], wanted, text);
  }
});

Deno.test("parseEngineAddress() shows nothing of an address that it refuses", () => {
  const cases = ["", "geheim", "http://u:geheim@h", "redis://u:geheim@", "redis://u:geheim@h:0"]
    .concat("redis://u:geheim@h:99999", "redis://u:geheim@h:x", "redis://u:geheim@a b");
  for (const text of cases) {
    assert.throws(() => parseEngineAddress(text, RULES), (error) => {
      assert.ok(error instanceof BusError);
      assert.equal(error.kind, "config");
      assert.ok(!/geheim/.test(`${Deno.inspect(error)} ${error.next}`), text);
      return true;
    });
  }
});

Deno.test("an address hides its secrets in any text, whatever characters they have", () => {
  const secrets = fc.string({ minLength: 1, maxLength: 20 })
    .filter((each) => each.trim() !== "" && !"***@redis://".includes(each));
  fc.assert(fc.property(secrets, fc.boolean(), fc.string(), (secret, isEncoded, around) => {
    const written = isEncoded ? encodeURIComponent(secret) : secret;
    const url = `redis://user:${written}@host:1/0`;
    const { redact, password } = parseEngineAddress(url, RULES);
    assert.ok(password !== undefined);
    for (const text of [url, `${around}${password}`, `AUTH user ${password} failed`]) {
      const shown = redact(text).replaceAll("***", "");
      assert.ok(!shown.includes(password), `${shown} shows ${password}`);
    }
  }));
});

Deno.test("an address hides what looks like a user and password of any other", () => {
  const { redact } = parseEngineAddress("redis://h", RULES);
  assert.equal(redact("at nats://a:b@c@d:1 and more"), "at nats://***@d:1 and more");
});
