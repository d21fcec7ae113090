import assert from "node:assert/strict";
import { formatLabel, type Predicate } from "../../../../src/core/capability/mod.ts";

const key = { axis: "hardware", key: "gpu.model" } as const;

Deno.test("formatLabel() words every kind as the reference does", () => {
  const exists: Predicate = { kind: "exists", key };
  const labels: readonly (readonly [Predicate, string])[] = [
    [exists, "Exists(hardware.gpu.model)"],
    [{ kind: "equals", key, value: "a=b" }, "Equals(hardware.gpu.model=a=b)"],
    [{ kind: "numeric_at_least", key, threshold: 64 }, "NumericAtLeast(hardware.gpu.model >= 64)"],
    [
      { kind: "numeric_at_most", key, threshold: -0.5 },
      "NumericAtMost(hardware.gpu.model <= -0.5)",
    ],
    [
      { kind: "numeric_in_range", key, min: 1e-7, max: 1e21 },
      "NumericInRange(hardware.gpu.model in [0.0000001, 1000000000000000000000])",
    ],
    [{ kind: "semver_at_least", key, version: "1.2" }, "SemverAtLeast(hardware.gpu.model >= 1.2)"],
    [{ kind: "semver_at_most", key, version: "" }, "SemverAtMost(hardware.gpu.model <= )"],
    [{ kind: "semver_compatible", key, version: "1" }, "SemverCompatible(hardware.gpu.model ~= 1)"],
    [
      { kind: "string_prefix", key, prefix: "H" },
      'StringPrefix(hardware.gpu.model starts with "H")',
    ],
    [{ kind: "string_matches", key, pattern: "" }, 'StringMatches(hardware.gpu.model contains "")'],
    [{ kind: "metadata_exists", key: "intent" }, "MetadataExists(intent)"],
    [{ kind: "metadata_equals", key: "a", value: "b" }, "MetadataEquals(a=b)"],
    [{ kind: "metadata_matches", key: "a", pattern: "b" }, 'MetadataMatches(a contains "b")'],
    [
      { kind: "metadata_numeric_at_least", key: "a", threshold: 5 },
      "MetadataNumericAtLeast(a >= 5)",
    ],
    [{ kind: "and", children: [exists, exists] }, "And(2 clauses)"],
    [{ kind: "or", children: [] }, "Or(0 clauses)"],
    [{ kind: "not", child: exists }, "Not"],
  ];
  for (const [predicate, label] of labels) assert.equal(formatLabel(predicate), label);
});

Deno.test("formatLabel() escapes what cannot be shown", () => {
  const shown: Readonly<Record<string, string>> = {
    "a\"b\\c'd": "a\\\"b\\\\c'd",
    "\0\t\n\r\x1b\x7f": "\\0\\t\\n\\r\\u{1b}\\u{7f}",
    "\u00a0\u200b\u2028\ufeff": "\\u{a0}\\u{200b}\\u{2028}\\u{feff}",
    "e\u0301": "e\\u{301}",
    "é ü 漢 \u{1f600}": "é ü 漢 \u{1f600}",
    "\ue000\u{10ffff}": "\\u{e000}\\u{10ffff}",
  };
  for (const [text, escaped] of Object.entries(shown)) {
    const label = formatLabel({ kind: "metadata_matches", key: "k", pattern: text });
    assert.equal(label, `MetadataMatches(k contains "${escaped}")`);
  }
});
