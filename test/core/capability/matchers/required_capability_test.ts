import assert from "node:assert/strict";
import fc from "fast-check";
import { NetError } from "../../../../src/base/mod.ts";
import {
  createCapabilitySet,
  evaluatePredicate,
  formatRequiredCapability,
  matchesRequired,
  parseRequiredCapability,
  type Predicate,
  readRequiredCapability,
  requireAxis,
  requireAxisKey,
  TAG_AXES,
} from "../../../../src/core/capability/mod.ts";

const set = createCapabilitySet([
  "hardware.memory_gb=64",
  "hardware.gpu",
  "software.os:linux",
  'software.note="x"',
  "gpu",
  "scope:tenant:a",
]);

const matches = (text: string) => matchesRequired(set, parseRequiredCapability(text));

Deno.test("parseRequiredCapability() takes values, bounds and tags", () => {
  const yes = [
    "software.os==linux",
    ' software . os == "linux" ',
    "hardware.memory_gb>=64",
    "hardware.memory_gb >= 6.3e1",
    "hardware . memory_gb<=64",
    "hardware.memory_gb<=inf",
    "hardware.memory_gb=64",
    "hardware.memory_gb:64",
    "software.os=linux",
    "hardware.gpu",
    " gpu ",
    'software.note==""x""',
  ];
  for (const text of yes) assert.ok(matches(text), text);
  const no = [
    "software.os==Linux",
    "software.os==",
    "hardware.gpu==",
    "hardware.memory_gb>=64.1",
    "hardware.memory_gb<=63",
    "hardware.gpu>=0",
    "software.os>=0",
    "hardware.memory_gb",
    "hardware.memory==64",
    "gp",
  ];
  for (const text of no) assert.ok(!matches(text), text);
});

Deno.test("readRequiredCapability() names what is wrong", () => {
  const faultOf = (text: string) => {
    const read = readRequiredCapability(text);
    return read.ok ? undefined : read.fault;
  };
  assert.equal(faultOf(" "), "empty");
  assert.equal(faultOf("scope:global"), "tag");
  assert.equal(faultOf("\ud834"), "tag");
  assert.equal(faultOf("hardware.memory_gb>=lots"), "numeric_parse");
  assert.equal(faultOf("hardware.memory_gb>= "), "numeric_parse");
  assert.equal(faultOf("hardware.memory_gb<=NaN"), "numeric_parse");
  assert.equal(faultOf("memory_gb==1"), "invalid_key");
  assert.equal(faultOf("hardware. ==1"), "invalid_key");
  assert.equal(faultOf("hardware.a = ==1"), "invalid_key");
  assert.equal(faultOf("compute.cores==1"), "invalid_axis");
  assert.equal(faultOf(".cores==1"), "invalid_axis");
  assert.throws(
    () => parseRequiredCapability("compute.cores>=1"),
    (error) => error instanceof NetError && error.code === "usage" && error.next !== undefined,
  );
});

Deno.test("parseRequiredCapability() tries == before >= before <=", () => {
  assert.deepEqual(parseRequiredCapability("hardware.a==b>=1"), {
    kind: "axis_value",
    key: { axis: "hardware", key: "a" },
    value: "b>=1",
  });
  assert.equal(parseRequiredCapability("hardware.a>=1").kind, "axis_at_least");
});

Deno.test("requireAxis() and requireAxisKey() ask for less", () => {
  assert.ok(matchesRequired(set, requireAxis("software")));
  assert.ok(!matchesRequired(set, requireAxis("devices")));
  assert.ok(matchesRequired(set, requireAxisKey("hardware", "gpu")));
  assert.ok(matchesRequired(set, requireAxisKey("software", "os")));
  assert.ok(!matchesRequired(set, requireAxisKey("hardware", "memory")));
});

Deno.test("matchesRequired() agrees with the predicate of the same meaning", () => {
  const word = fc.constantFrom("a", "b", "1", "2.5", "inf", "x", "");
  const key = fc.record({ axis: fc.constantFrom(...TAG_AXES), key: fc.constantFrom("a", "b") });
  const tags = fc.array(
    fc.tuple(key, fc.constantFrom("=", ":", ""), word).map(([{ axis, key }, separator, value]) =>
      `${axis}.${key}${separator}${separator === "" ? "" : value}`
    ),
  );
  fc.assert(fc.property(tags, key, word, fc.constantFrom(1, 2.5, 9), (texts, key, value, n) => {
    const some = createCapabilitySet(texts);
    const pairs: [Parameters<typeof matchesRequired>[1], Predicate][] = [
      [{ kind: "axis_key", key }, { kind: "exists", key }],
      [{ kind: "axis_value", key, value }, { kind: "equals", key, value }],
      [{ kind: "axis_at_least", key, threshold: n }, {
        kind: "numeric_at_least",
        key,
        threshold: n,
      }],
      [{ kind: "axis_at_most", key, threshold: n }, { kind: "numeric_at_most", key, threshold: n }],
    ];
    for (const [required, predicate] of pairs) {
      assert.equal(matchesRequired(some, required), evaluatePredicate(predicate, some));
    }
  }));
});

Deno.test("formatRequiredCapability() gives a form that reads back", () => {
  for (const text of ['software.os=="linux"', "hardware.a>=1.5", "hardware.a<=2", "gpu", "a.b=c"]) {
    const required = parseRequiredCapability(text);
    assert.deepEqual(parseRequiredCapability(formatRequiredCapability(required)), required);
  }
  assert.equal(formatRequiredCapability(requireAxis("devices")), "devices");
  assert.equal(formatRequiredCapability(requireAxisKey("devices", "x")), "devices.x");
});

Deno.test("readRequiredCapability() never throws", () => {
  const piece = fc.constantFrom("hardware", ".", "=", "<", ">", '"', " ", "1", "e", ":", "\ud834");
  fc.assert(fc.property(fc.array(piece, { maxLength: 12 }), (parts) => {
    readRequiredCapability(parts.join(""));
  }));
});
