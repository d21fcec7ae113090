import assert from "node:assert/strict";
import fc from "fast-check";
import { createCapabilitySet } from "../../../../src/core/capability/mod.ts";
import {
  aggregate,
  CapabilityIndex,
  parseTagMatcher,
  type TagMatcher,
  validateTagMatcher,
} from "../../../../src/core/capability/index/mod.ts";
import {
  compareStrictSemver,
  parseStrictSemver,
} from "../../../../src/core/capability/index/strict_semver.ts";

Deno.test("validateTagMatcher() says what is wrong, and where", () => {
  const cases: readonly [TagMatcher, string | undefined, string?][] = [
    [{ kind: "exact", value: "" }, undefined],
    [{ kind: "prefix", value: "hardware." }, undefined],
    [{ kind: "axis", axis: "hardware" }, undefined],
    [{ kind: "axis", axis: "Hardware" as "hardware" }, "axis", "axis"],
    [{ kind: "axis_key", axis: "software", key: "os" }, undefined],
    [{ kind: "axis_key", axis: "software", key: "os=linux" }, "axis_key", "key"],
    [{ kind: "regex", pattern: "^a(b|c)$" }, undefined],
    [{ kind: "regex", pattern: "(?=a)" }, "pattern", "pattern"],
    [{ kind: "regex", pattern: "a".repeat(300) }, "pattern", "pattern"],
    [{ kind: "version_range", axis_key: "software.runtime.deno", min: "2.0.0" }, undefined],
    [{ kind: "version_range", axis_key: "deno", min: "2.0.0" }, "axis_key", "axis_key"],
    [{ kind: "version_range", axis_key: "software.deno", min: "2.0" }, "version", "min"],
    [{ kind: "version_range", axis_key: "software.deno", max: "v2" }, "version", "max"],
    [{ kind: "version_range", axis_key: "software.deno", min: null, max: null }, undefined],
  ];
  for (const [matcher, code, field] of cases) {
    const fault = validateTagMatcher(matcher);
    assert.equal(fault?.code, code, JSON.stringify(matcher));
    assert.equal(fault?.field, field);
  }
});

Deno.test("parseTagMatcher() takes what validates, and nothing else", () => {
  const good: readonly TagMatcher[] = [
    { kind: "exact", value: "" },
    { kind: "axis_key", axis: "hardware", key: "gpu" },
    { kind: "version_range", axis_key: "software.deno", min: "1.0.0", max: undefined },
  ];
  for (const matcher of good) {
    const parsed = parseTagMatcher({ ...matcher, other: 1 });
    assert.deepEqual(parsed, { ok: true, matcher });
  }
  assert.ok(parseTagMatcher({ kind: "version_range", axis_key: "software.deno", min: null }).ok);
  const bad: readonly [unknown, string, string][] = [
    [null, "kind", "kind"],
    [[], "kind", "kind"],
    [{ kind: "toString" }, "kind", "kind"],
    [{ kind: "exact" }, "kind", "value"],
    [{ kind: "exact", value: 7 }, "kind", "value"],
    [{ kind: "axis", axis: "Hardware" }, "axis", "axis"],
    [{ kind: "regex", pattern: "(" }, "pattern", "pattern"],
    [JSON.parse('{"kind":"exact","__proto__":{"value":"x"}}'), "kind", "value"],
  ];
  for (const [value, code, field] of bad) {
    const parsed = parseTagMatcher(value);
    assert.ok(!parsed.ok);
    assert.deepEqual([parsed.fault.code, parsed.fault.field], [code, field], JSON.stringify(value));
  }
  fc.assert(fc.property(fc.anything(), (value) => {
    parseTagMatcher(value);
  }));
});

Deno.test("a matcher that is no good matches nothing", () => {
  const index = new CapabilityIndex();
  index.set(1n, { capabilities: createCapabilitySet(["software.deno=2.0.0"]) });
  const bad: readonly TagMatcher[] = [
    { kind: "regex", pattern: "(" },
    { kind: "axis", axis: "voodoo" as "hardware" },
    { kind: "version_range", axis_key: "deno" },
    { kind: "version_range", axis_key: "software.deno", min: "x" },
  ];
  for (const matcher of bad) {
    assert.deepEqual(aggregate(index, { matcher, aggregation: { kind: "count" } }), []);
  }
});

Deno.test("a matcher takes either separator, unless it has to be the text", () => {
  const index = new CapabilityIndex();
  index.set(1n, { capabilities: createCapabilitySet(["software.os=linux"]) });
  index.set(2n, { capabilities: createCapabilitySet(["software.os:linux"]) });
  const count = (matcher: TagMatcher, rules?: "core") =>
    Number(aggregate(index, { matcher, aggregation: { kind: "count" } }, { rules })[0]?.value ?? 0);
  for (const kind of ["exact", "prefix"] as const) {
    assert.equal(count({ kind, value: "software.os:linux" }), 2);
    assert.equal(count({ kind, value: "software.os:linux" }, "core"), 1);
  }
});

Deno.test("parseStrictSemver() and compareStrictSemver() follow the standard", () => {
  const ordered = [
    "0.0.0",
    "1.0.0-0",
    "1.0.0-1",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-rc.2",
    "1.0.0-rc.11",
    "1.0.0",
    "1.0.0+a",
    "1.0.0+b",
    "1.0.1",
    "1.2.0",
    "1.10.0",
    "18446744073709551615.0.0",
  ];
  const versions = ordered.map((text) => parseStrictSemver(text));
  for (const [i, left] of versions.entries()) {
    for (const [j, right] of versions.entries()) {
      assert.ok(left !== undefined && right !== undefined);
      assert.equal(Math.sign(compareStrictSemver(left, right)), Math.sign(i - j), `${i} ${j}`);
    }
  }
  const wrong = [
    "",
    "1",
    "1.2",
    "01.0.0",
    "1.0.0-",
    "1.0.0-01",
    "1.0.0+",
    "v1.0.0",
    "1.0.0 ",
    "18446744073709551616.0.0",
    `1.0.0-${"a".repeat(300)}`,
  ];
  for (const text of wrong) assert.equal(parseStrictSemver(text), undefined, text);
});
