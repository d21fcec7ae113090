import assert from "node:assert/strict";
import fc from "fast-check";
import { NetError } from "../../../../src/base/mod.ts";
import {
  formatPredicate,
  parsePredicate,
  type Predicate,
  PREDICATE_DEPTH_MAX,
  PREDICATE_TEXT_MAX,
} from "../../../../src/core/capability/mod.ts";
import { anyPredicate } from "./samples.ts";

const gpu = { axis: "hardware", key: "gpu" } as const;
const memory = { axis: "hardware", key: "memory_gb" } as const;
const python = { axis: "software", key: "runtime.python" } as const;
const exists: Predicate = { kind: "exists", key: gpu };
const owner: Predicate = { kind: "metadata_exists", key: "owner" };

function faultOf(text: string): NetError {
  try {
    parsePredicate(text);
  } catch (error) {
    assert.ok(error instanceof NetError && error.code === "usage", String(error));
    return error;
  }
  throw new Error(`it reads: ${text}`);
}

Deno.test("parsePredicate() reads every operator", () => {
  const read: Readonly<Record<string, Predicate>> = {
    "hardware.gpu": exists,
    "hardware.memory_gb==a=b!": { kind: "equals", key: memory, value: "a=b!" },
    "hardware.memory_gb>=64": { kind: "numeric_at_least", key: memory, threshold: 64 },
    "hardware.memory_gb <= -1e3": { kind: "numeric_at_most", key: memory, threshold: -1000 },
    "hardware.memory_gb in[.5,128]": { kind: "numeric_in_range", key: memory, min: 0.5, max: 128 },
    "software.runtime.python>=v3.10": { kind: "semver_at_least", key: python, version: "3.10" },
    'software.runtime.python <= v"x"': { kind: "semver_at_most", key: python, version: "x" },
    "software.runtime.python~=3.10": { kind: "semver_compatible", key: python, version: "3.10" },
    "software.runtime.python~=v3": { kind: "semver_compatible", key: python, version: "3" },
    'software.runtime.python~="v3"': { kind: "semver_compatible", key: python, version: "v3" },
    "software.runtime.python^=3.": { kind: "string_prefix", key: python, prefix: "3." },
    "software.runtime.python*=rc": { kind: "string_matches", key: python, pattern: "rc" },
    "owner": owner,
    "meta.owner": owner,
    "meta.owner.name==ada": { kind: "metadata_equals", key: "owner.name", value: "ada" },
    "meta.hardware.gpu*=x": { kind: "metadata_matches", key: "hardware.gpu", pattern: "x" },
    "priority>=5": { kind: "metadata_numeric_at_least", key: "priority", threshold: 5 },
    'meta."a key"==""': { kind: "metadata_equals", key: "a key", value: "" },
    'hardware.""': { kind: "exists", key: { axis: "hardware", key: "" } },
    'owner=="a \\"b\\" \\u00e9"': { kind: "metadata_equals", key: "owner", value: 'a "b" é' },
    "hardware.gpu!=x": { kind: "not", child: { kind: "equals", key: gpu, value: "x" } },
    "owner != x": { kind: "not", child: { kind: "metadata_equals", key: "owner", value: "x" } },
  };
  for (const [text, predicate] of Object.entries(read)) {
    assert.deepEqual(parsePredicate(text), predicate, text);
  }
});

Deno.test("parsePredicate() binds ! before && before ||, and keeps brackets", () => {
  const and = (...children: Predicate[]): Predicate => ({ kind: "and", children });
  const or = (...children: Predicate[]): Predicate => ({ kind: "or", children });
  const not = (child: Predicate): Predicate => ({ kind: "not", child });
  const equals: Predicate = { kind: "equals", key: gpu, value: "x" };
  const read: Readonly<Record<string, Predicate>> = {
    "owner && owner || !owner && hardware.gpu": or(and(owner, owner), and(not(owner), exists)),
    "owner&&(owner||owner)&&owner": and(owner, or(owner, owner), owner),
    "(owner && owner) && owner": and(and(owner, owner), owner),
    "((owner))": owner,
    "!hardware.gpu==x": not(equals),
    "! (owner || owner)": not(or(owner, owner)),
    "!!owner": not(not(owner)),
    "all()": and(),
    "any(owner)": or(owner),
    "all(any(), owner && owner,\n!owner)": and(or(), and(owner, owner), not(owner)),
    "all || any": or(
      { kind: "metadata_exists", key: "all" },
      { kind: "metadata_exists", key: "any" },
    ),
    "in": { kind: "metadata_exists", key: "in" },
  };
  for (const [text, predicate] of Object.entries(read)) {
    assert.deepEqual(parsePredicate(text), predicate, text);
  }
});

Deno.test("parsePredicate() says what is wrong and where", () => {
  const wrong: Readonly<
    Record<string, readonly [column: number, shown: string, expected: string]>
  > = {
    "": [1, "the end", "a key such as hardware.gpu or owner"],
    "  ": [3, "the end", "a key such as hardware.gpu or owner"],
    "owner &&": [9, "the end", "a key such as hardware.gpu or owner"],
    "owner & owner": [7, '"&"', "&&, || or the end"],
    "owner owner": [7, '"owner"', "&&, || or the end"],
    "(owner": [7, "the end", "&&, || or )"],
    "owner)": [6, '")"', "&&, || or the end"],
    "all(owner owner)": [11, '"owner)"', "&&, ||, a comma or )"],
    "owner = x": [7, '"="', "one of == != >= *="],
    "owner <= 5": [7, '"<="', "one of == != >= *="],
    "hardware.gpu > 5": [14, '">"', "one of == != >= <= ~= ^= *="],
    "hardware.": [10, "the end", 'a key behind the dot, such as gpu or "a key"'],
    'hardware. "gpu"': [11, '"\\"gpu\\""', 'a key behind the dot, such as gpu or "a key"'],
    "hardware.gpu ==": [16, "the end", 'a value, such as linux or "a b"'],
    "hardware.gpu >= lots": [17, '"lots"', "a number such as 64, or a version such as v3.10"],
    "hardware.gpu >= inf": [17, '"inf"', "a number such as 64, or a version such as v3.10"],
    "hardware.gpu >= 1e999": [17, '"1e999"', "a number such as 64, or a version such as v3.10"],
    "hardware.gpu in 5": [17, '"5"', "a range such as [32, 128]"],
    "hardware.gpu in [5]": [19, '"]"', "a comma between the ends of the range"],
    "hardware.gpu in [5,6": [21, "the end", "] behind the range"],
    'owner=="a': [8, '"\\"a"', "a text in double quotes, escaped as in JSON"],
    'owner=="\\x"': [8, '"\\"\\\\x\\""', "a text in double quotes, escaped as in JSON"],
    'owner=="\\ud834"': [8, '"\\"\\\\ud834\\""', "a text in double quotes, escaped as in JSON"],
    "ownér && hardwre.gpu": [
      10,
      '"hardwre.gpu"',
      "hardware, software, devices, dataforts or meta in front of the dot",
    ],
  };
  for (const [text, [column, shown, expected]] of Object.entries(wrong)) {
    const { message, next, data } = faultOf(text);
    assert.equal(
      message,
      `Cannot read predicate: at column ${column} is ${shown}, must be ${expected}`,
    );
    assert.deepEqual(data, { at: column - 1, expected });
    assert.match(next ?? "", /^write /);
  }
  assert.equal(faultOf("a.b").next, "write meta.a.b when it is a key of metadata");
  const { message } = faultOf(`owner ${"x".repeat(100)}`);
  assert.ok(message.includes(`"${"x".repeat(24)}…"`));
});

Deno.test("parsePredicate() is bounded", () => {
  const deepest = "!".repeat(PREDICATE_DEPTH_MAX - 1) + "a";
  assert.equal(formatPredicate(parsePredicate(deepest)).length, deepest.length + "meta.".length);
  assert.match(faultOf(`!${deepest}`).message, /at most 256 levels deep/);
  assert.match(faultOf("(".repeat(4_000)).message, /at most 256 levels deep/);
  const long = "a".repeat(PREDICATE_TEXT_MAX);
  assert.deepEqual(parsePredicate(long), { kind: "metadata_exists", key: long });
  assert.match(faultOf(`${long} `).message, /length is 4097, must be at most 4096/);
});

Deno.test("formatPredicate() writes what reads as the same tree", () => {
  fc.assert(
    fc.property(anyPredicate, (predicate) => {
      const text = formatPredicate(predicate);
      if (text.length <= PREDICATE_TEXT_MAX) {
        assert.deepEqual(parsePredicate(text), predicate, text);
      }
    }),
    { numRuns: 2000 },
  );
});

Deno.test("formatPredicate() quotes only what has to be", () => {
  const same = [
    "hardware.gpu && hardware.memory_gb>=64 && software.runtime.python~=v3.10",
    "(hardware.gpu && meta.owner==ada) || !(meta.owner==bob) || !meta.retired",
    'meta."a b"==" " || meta.x==a/b:c || hardware.gpu in [0.5, 100000000000000000000000]',
  ];
  for (const text of same) assert.equal(formatPredicate(parsePredicate(text)), text);
  assert.throws(
    () => formatPredicate({ kind: "numeric_at_most", key: gpu, threshold: NaN }),
    RangeError,
  );
  assert.throws(() => formatPredicate({ kind: "metadata_exists", key: "\ud834" }), RangeError);
});
