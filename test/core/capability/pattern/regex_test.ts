import assert from "node:assert/strict";
import fc from "fast-check";
import { compileRegex } from "../../../../src/core/capability/pattern/mod.ts";

const faultOf = (pattern: string) => {
  const regex = compileRegex(pattern);
  return regex.ok ? undefined : regex.fault;
};

const test = (pattern: string, text: string) => {
  const regex = compileRegex(pattern);
  assert.ok(regex.ok, pattern);
  return regex.test(text);
};

const atom = fc.constantFrom(
  "a",
  "b",
  "é",
  "\u{1d11e}",
  ".",
  "\\d",
  "\\D",
  "\\w",
  "\\W",
  "\\s",
  "\\.",
  "\\n",
  "\\x61",
  "[ab]",
  "[^ab]",
  "[a-c0-9]",
  "[^\\d.]",
  "[-a]",
  "\\b",
  "^",
  "$",
  "\\p{L}",
  "\\P{Lu}",
);
const isRepeatable = (item: string) => !/^(?:\^|\$|\\[bB])$/.test(item);
const quantifier = fc.constantFrom(
  "",
  "",
  "*",
  "+",
  "?",
  "{2}",
  "{1,}",
  "{0,2}",
  "*?",
  "+?",
  "{1,3}?",
);

/** Patterns whose meaning is the same in both languages. */
const pattern = fc.letrec<{ choice: string; sequence: string; piece: string }>((tie) => ({
  choice: fc.array(tie("sequence"), { minLength: 1, maxLength: 3 }).map((items) => items.join("|")),
  sequence: fc.array(tie("piece"), { maxLength: 4 }).map((items) => items.join("")),
  piece: fc.oneof(
    { maxDepth: 2 },
    fc.tuple(atom, quantifier).map(([item, times]) => item + (isRepeatable(item) ? times : "")),
    fc.tuple(fc.constantFrom("(", "(?:"), tie("choice"), quantifier)
      .map(([open, inner, times]) => `${open}${inner})${times}`),
  ),
})).choice;

const anyText = fc.string({
  unit: fc.constantFrom("a", "b", "c", "A", "1", ".", " ", "\n", "\u{1d11e}", "_"),
  maxLength: 7,
});

Deno.test("compileRegex() matches what the engine's own expressions match", () => {
  // Texts are short: it is the other one that can take forever.
  fc.assert(
    fc.property(pattern, fc.array(anyText, { maxLength: 6 }), (pattern, texts) => {
      const regex = compileRegex(pattern);
      if (!regex.ok) return assert.equal(regex.fault, "too_long");
      const own = new RegExp(pattern, "u");
      for (const text of texts) {
        assert.equal(regex.test(text), own.test(text), `${pattern} on ${JSON.stringify(text)}`);
      }
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("compileRegex() knows the flags of the reference", () => {
  assert.ok(test("(?i)GPU", "hardware.gpu") && !test("(?i:G)PU", "gpu"));
  assert.ok(test("(?i)[^a]", "b") && !test("(?i)[^a]", "A"));
  assert.ok(test("(?m)^b$", "a\nb\nc") && !test("^b$", "a\nb\nc"));
  assert.ok(test("(?s)a.b", "a\nb") && !test("(?s)(?-s)a.b", "a\nb"));
  assert.ok(test("(?P<vendor>amd)|(?<model>x)", "amd"));
  assert.ok(test("[[:alpha:]]+[[:^digit:]]", "ab") && test("[a[bc]]", "c"));
  assert.ok(test("\\p{Greek}", "α") && test("\\pL\\u0061\\u{62}\\z", "xab"));
});

Deno.test("compileRegex() takes letters and digits of all scripts", () => {
  assert.ok(test("^\\w+$", "é\u0663ß") && test("\\d", "\u0663") && test("(?i)é", "É"));
  assert.ok(!test("a\\b", "aé") && test("é\\b", "é."));
  // The engine's own \\B looks between the two halves of a character.
  assert.ok(test("a\\Bb", "ab") && !test("\\B", "a\u{1d11e}a"));
});

Deno.test("compileRegex() refuses what it cannot match in one pass, and what is no pattern", () => {
  const wrong = [
    "(",
    ")",
    "[",
    "a**)",
    "*",
    "a{2,1}",
    "(a)\\1",
    "(?=a)",
    "(?<!a)",
    "\\",
    "[b-a]",
    "(?x)a",
    "\\p{Nonsense}",
    "{",
    "a{x}",
    "[a&&b]",
    "\\q",
    "\\u{d800}",
    "\\x{110000}",
  ];
  for (const pattern of wrong) assert.equal(faultOf(pattern), "syntax", pattern);
  assert.equal(faultOf("(".repeat(40) + ")".repeat(40)), "syntax");
  assert.equal(faultOf("a".repeat(257)), "too_long");
  assert.equal(faultOf("(a{50}){50}"), "too_large");
  assert.equal(faultOf("((((){9999}){9999}){9999}){9999}"), undefined);
});

Deno.test("compileRegex() takes time in proportion to the text, where others explode", () => {
  const text = "a".repeat(8_000);
  for (const pattern of ["(a*)*b", "(a|a)*b", "(a|aa)+$b", "(.*)*(.*)*(.*)*x", "(a?){30}a{30}b"]) {
    const regex = compileRegex(pattern);
    assert.ok(regex.ok);
    const start = performance.now();
    assert.equal(regex.test(text), false);
    assert.ok(performance.now() - start < 5_000, pattern);
  }
});

Deno.test("compileRegex() never throws", () => {
  const unit = fc.constantFrom(..."()[]{}|*+?^$\\.-,:=<>!&~pPxuUdwbAzims019aZé\u{1d11e}\ud800");
  fc.assert(
    fc.property(
      fc.string({ unit, maxLength: 30 }),
      fc.string({ unit, maxLength: 20 }),
      (pattern, text) => {
        const regex = compileRegex(pattern);
        if (regex.ok) regex.test(text);
      },
    ),
    { numRuns: 3_000 },
  );
});
